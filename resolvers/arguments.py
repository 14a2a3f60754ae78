"""Arguments: their types and descriptions, declared once for every field that takes them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import argument

from db import ids
from db.models import DocumentAccess, UserKind
from db.principals import Role
from services import limits


@dataclass(frozen=True)
class Prefixed:
    """Marks an argument that takes an id with or without its type prefix."""

    prefix: str


CALLER_ID = (
    f"An id that you choose for the new object, 1 to {limits.CALLER_ID_LENGTH} visible characters. The server adds a "
    "missing prefix. With an id, a retry of the same call returns the object that the first call created. Without one, "
    "the server generates an id."
)

DocId = Annotated[
    strawberry.ID,
    argument(description="The id of a document. The prefix doc_ is optional."),
    Prefixed(ids.DOCUMENT),
]
SectionId = Annotated[
    strawberry.ID,
    argument(description="The id of a section. The prefix sec_ is optional."),
    Prefixed(ids.SECTION),
]
SectionIds = Annotated[
    list[strawberry.ID],
    argument(description=f"The ids of at most {limits.ENSURED_SECTIONS} sections. The prefix sec_ is optional."),
    Prefixed(ids.SECTION),
]
UserId = Annotated[
    strawberry.ID,
    argument(
        description="The id of a user, who need not have used the server yet. The prefix user_ is optional, unless the "
        "rest of the id begins with it."
    ),
    Prefixed(ids.USER),
]
ApiKeyId = Annotated[
    strawberry.ID,
    argument(description="The id of an API key. The prefix key_ is optional."),
    Prefixed(ids.API_KEY),
]
ShareLinkId = Annotated[
    strawberry.ID,
    argument(description="The id of a share link. The prefix link_ is optional."),
    Prefixed(ids.SHARE_LINK),
]
ApiKeyName = Annotated[
    str,
    argument(
        description="A name by which owners recognise the key, not blank and of at most "
        f"{limits.API_KEY_NAME_LENGTH} characters."
    ),
]
ApiKeyRole = Annotated[Role, argument(description="The role of the key in the workspace.")]
ApiKeyKind = Annotated[
    UserKind, argument(description="What the key is when it acts for nobody else: SERVICE or ASSISTANT.")
]
GrantedRole = Annotated[Role, argument(description="The role on the document: READER, COMMENTER or EDITOR.")]
SharedRole = Annotated[Role, argument(description="The role on the document: READER or COMMENTER.")]
ExpiresAt = Annotated[
    datetime | None, argument(description="When the secret expires; without it, the secret never expires.")
]
Access = Annotated[DocumentAccess, argument(description="Who may use the document without a grant.")]
NewAccess = Annotated[
    DocumentAccess | None,
    argument(description="Who may use the document without a grant; WORKSPACE if not given."),
]
ChatId = Annotated[strawberry.ID, argument(description="The id of a chat session.")]
NodeId = Annotated[
    strawberry.ID, argument(description="The id of an object that implements Node, including its prefix.")
]
NodeIds = Annotated[
    list[strawberry.ID],
    argument(description=f"The ids of at most {limits.NODES} objects that implement Node, including their prefixes."),
]

First = Annotated[
    int | None,
    argument(
        description=f"The number of items to return from the start, 0 to {limits.LARGEST_PAGE}; "
        f"{limits.PAGE_SIZE} if neither first nor last is given."
    ),
]
Last = Annotated[
    int | None, argument(description=f"The number of items to return from the end, 0 to {limits.LARGEST_PAGE}.")
]
FirstSections = Annotated[
    int | None,
    argument(
        description=f"The number of sections to return from the start, 0 to {limits.LARGEST_SECTIONS_PAGE}; "
        f"{limits.PAGE_SIZE} if neither first nor last is given."
    ),
]
LastSections = Annotated[
    int | None,
    argument(description=f"The number of sections to return from the end, 0 to {limits.LARGEST_SECTIONS_PAGE}."),
]
FirstMessages = Annotated[
    int | None,
    argument(description=f"The number of messages to return, counted from the oldest, 0 to {limits.LARGEST_PAGE}."),
]
LastMessages = Annotated[
    int | None,
    argument(
        description=f"The number of messages to return, counted from the newest, 0 to {limits.LARGEST_PAGE}; "
        f"{limits.PAGE_SIZE} if first, last and after are not given."
    ),
]
After = Annotated[str | None, argument(description="Return items after this cursor.")]
Before = Annotated[str | None, argument(description="Return items before this cursor.")]

Title = Annotated[
    str, argument(description=f"The title, one non-blank line of at most {limits.TITLE_LENGTH:,} characters.")
]
ImportTitle = Annotated[
    str | None,
    argument(
        description=f"The title, one non-blank line of at most {limits.TITLE_LENGTH:,} characters. Without it, the "
        "server takes the title in the front matter, or else the first heading, and shortens it to that length."
    ),
]
Description = Annotated[
    str | None,
    argument(description=f"A description of the document, at most {limits.DESCRIPTION_LENGTH:,} characters."),
]
Markdown = Annotated[
    str,
    argument(
        description=f"The document as CommonMark, with optional YAML or TOML front matter. The limits: at most "
        f"{limits.MARKDOWN_LENGTH:,} characters, {limits.MARKDOWN_LINES:,} lines, {limits.MARKDOWN_BLOCKS:,} blocks, "
        f"{limits.IMPORTED_SECTIONS:,} sections and {limits.IMPORT_SECONDS} seconds to parse; at most "
        f"{limits.CONTENT_LENGTH:,} characters for each heading, and for the text below it."
    ),
]
NewDocumentId = Annotated[strawberry.ID | None, argument(description=CALLER_ID), Prefixed(ids.DOCUMENT)]
NewSectionId = Annotated[strawberry.ID | None, argument(description=CALLER_ID), Prefixed(ids.SECTION)]
ExpectedVersion = Annotated[
    int | None,
    argument(
        description="The version that you have seen. If the object has another one, nothing changes and the result is "
        "VersionConflict. Without it, the last writer wins, and the history shows both."
    ),
]
Summary = Annotated[
    str | None,
    argument(
        description=f"Why you make the change, at most {limits.SUMMARY_LENGTH:,} characters; the history shows it."
    ),
]
MessageContent = Annotated[
    str,
    argument(
        description=f"The text, as non-blank Markdown of at most {limits.MESSAGE_LENGTH:,} characters, stored "
        "unchanged."
    ),
]
ClientId = Annotated[
    str | None,
    argument(
        description="The idempotency key of this post, unique among your posts to this chat, at most "
        f"{limits.CLIENT_ID_LENGTH} characters. With a key, a retry of the post does not create a second message."
    ),
]


class Fields:
    """The base of input types in which a field can be left out."""

    def given(self) -> dict[str, Any]:
        """Return the fields that the caller gave, by their names in the domain."""
        return {name: value for name, value in vars(self).items() if value is not strawberry.UNSET}


def optional(description: str, name: str | None = None) -> Any:
    """Declare a field of an input type that can be left out."""
    return strawberry.field(default=strawberry.UNSET, description=description, name=name)


TAGS = f"Labels for grouping: at most {limits.TAGS}, each once, each of at most {limits.TAG_LENGTH} characters."
METADATA = (
    f"A JSON object of your own, of at most {limits.METADATA_LENGTH:,} characters and {limits.METADATA_DEPTH} levels."
)
