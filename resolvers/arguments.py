"""Arguments: what clients may send, described once for every field that takes it."""

from dataclasses import dataclass
from typing import Annotated

import strawberry
from strawberry import argument

from db import ids
from services import limits


@dataclass(frozen=True)
class Prefixed:
    """Marks an argument that takes an id with or without the prefix of its kind."""

    prefix: str


_CALLER_ID = (
    f"An id of your own for it, 1 to {limits.CALLER_ID_LENGTH} visible characters; the server adds its prefix where it "
    "is missing. With it, the same call sent again returns what the first one made. Left out, the server makes an id."
)

DocId = Annotated[
    strawberry.ID,
    argument(description="The id of a document; the prefix doc_ may be left out."),
    Prefixed(ids.DOCUMENT),
]
SectionId = Annotated[
    strawberry.ID,
    argument(description="The id of a section; the prefix sec_ may be left out."),
    Prefixed(ids.SECTION),
]
SectionIds = Annotated[
    list[strawberry.ID],
    argument(description=f"Ids of sections, at most {limits.ENSURED_SECTIONS}; the prefix sec_ may be left out."),
    Prefixed(ids.SECTION),
]
ChatId = Annotated[strawberry.ID, argument(description="The id of a chat session.")]
NodeId = Annotated[
    strawberry.ID, argument(description="The id of a document, section, chat session or message, with its prefix.")
]
NodeIds = Annotated[
    list[strawberry.ID],
    argument(
        description=f"Ids of documents, sections, chat sessions or messages, with their prefixes, at most "
        f"{limits.NODES}."
    ),
]

First = Annotated[
    int | None,
    argument(
        description=f"How many items to return from the front, 0 to {limits.LARGEST_PAGE}. Without first and last: "
        f"{limits.PAGE_SIZE}."
    ),
]
Last = Annotated[
    int | None, argument(description=f"How many items to return from the back, 0 to {limits.LARGEST_PAGE}.")
]
FirstSections = Annotated[
    int | None,
    argument(
        description=f"How many sections to return from the front, 0 to {limits.LARGEST_SECTIONS_PAGE}. Without first "
        f"and last: {limits.PAGE_SIZE}."
    ),
]
LastSections = Annotated[
    int | None,
    argument(description=f"How many sections to return from the back, 0 to {limits.LARGEST_SECTIONS_PAGE}."),
]
FirstMessages = Annotated[
    int | None, argument(description=f"How many messages to return from the oldest, 0 to {limits.LARGEST_PAGE}.")
]
LastMessages = Annotated[
    int | None,
    argument(
        description=f"How many messages to return up to the newest, 0 to {limits.LARGEST_PAGE}. "
        f"Without first and last, {limits.PAGE_SIZE}, unless after is given."
    ),
]
After = Annotated[str | None, argument(description="Return items after this cursor.")]
Before = Annotated[str | None, argument(description="Return items before this cursor.")]

Title = Annotated[
    str, argument(description=f"One line of at most {limits.TITLE_LENGTH:,} characters that is not blank.")
]
ImportTitle = Annotated[
    str | None,
    argument(
        description=f"One line of at most {limits.TITLE_LENGTH:,} characters. Left out, the document is called as its "
        "front matter says, or else like its first heading, shortened where that is longer."
    ),
]
Description = Annotated[
    str | None, argument(description=f"What it is about, at most {limits.DESCRIPTION_LENGTH:,} characters.")
]
Markdown = Annotated[
    str,
    argument(
        description=f"CommonMark, with YAML or TOML front matter if there is any: at most {limits.MARKDOWN_LENGTH:,} "
        f"characters, {limits.MARKDOWN_LINES:,} lines and {limits.MARKDOWN_BLOCKS:,} blocks, which make at most "
        f"{limits.IMPORTED_SECTIONS:,} sections and take at most {limits.IMPORT_SECONDS} seconds to parse. Each "
        f"heading, and the text beneath it, has at most {limits.CONTENT_LENGTH:,} characters."
    ),
]
SectionContent = Annotated[
    str | None,
    argument(description=f"The text below the heading, Markdown of at most {limits.CONTENT_LENGTH:,} characters."),
]
Level = Annotated[int | None, argument(description="The level of the heading, 1 to 6.")]
NewDocumentId = Annotated[strawberry.ID | None, argument(description=_CALLER_ID), Prefixed(ids.DOCUMENT)]
NewSectionId = Annotated[strawberry.ID | None, argument(description=_CALLER_ID), Prefixed(ids.SECTION)]
MessageContent = Annotated[
    str,
    argument(description=f"Markdown, stored unchanged, at most {limits.MESSAGE_LENGTH:,} characters, not blank."),
]
ClientId = Annotated[
    str | None,
    argument(
        description="Your own key for this post, unique among your posts to this chat, at most "
        f"{limits.CLIENT_ID_LENGTH} characters; with it, sending the post again does not make a second message."
    ),
]
