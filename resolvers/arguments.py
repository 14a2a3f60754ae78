"""Arguments: what clients may send, described once for every field that takes it."""

from typing import Annotated

import strawberry
from strawberry import argument

from db import ids
from services import inputs

_OWN_ID = "followed by A-Z, a-z, 0-9, _ or -, 4 to 64 characters in all; left out, the server makes one."

DocId = Annotated[strawberry.ID, argument(description="The id of a document.")]
SectionId = Annotated[strawberry.ID, argument(description="The id of a section.")]
SectionIds = Annotated[
    list[strawberry.ID], argument(description=f"Ids of sections, at most {inputs.ENSURED_SECTIONS}.")
]
ChatId = Annotated[strawberry.ID, argument(description="The id of a chat session.")]
NodeId = Annotated[strawberry.ID, argument(description="The id of a document, section, chat session or message.")]
NodeIds = Annotated[
    list[strawberry.ID],
    argument(description=f"Ids of documents, sections, chat sessions or messages, at most {inputs.NODES}."),
]

First = Annotated[int | None, argument(description=f"How many rows, from the front: 0 to {inputs.LARGEST_PAGE}.")]
FirstSections = Annotated[
    int | None,
    argument(description=f"How many sections, from the front: 0 to {inputs.LARGEST_SECTIONS_PAGE}."),
]
FirstMessages = Annotated[
    int | None,
    argument(
        description=f"How many messages, from the oldest: 0 to {inputs.LARGEST_PAGE}. "
        f"Without first and last: {inputs.PAGE_SIZE}."
    ),
]
LastMessages = Annotated[
    int | None, argument(description=f"How many messages, up to the newest: 0 to {inputs.LARGEST_PAGE}.")
]
After = Annotated[str | None, argument(description="Start behind the row of this cursor.")]
Before = Annotated[str | None, argument(description="End before the row of this cursor.")]

Title = Annotated[
    str, argument(description=f"One line of at most {inputs.TITLE_LENGTH:,} characters that is not blank.")
]
ImportTitle = Annotated[
    str | None,
    argument(
        description=f"One line of at most {inputs.TITLE_LENGTH:,} characters. Left out, the document is called as its "
        "front matter says, or else like its first heading, shortened where that is longer."
    ),
]
Description = Annotated[
    str | None, argument(description=f"What it is about, at most {inputs.DESCRIPTION_LENGTH:,} characters.")
]
Markdown = Annotated[
    str,
    argument(
        description=f"CommonMark, with YAML or TOML front matter if there is any: at most {inputs.MARKDOWN_LENGTH:,} "
        f"characters, {inputs.MARKDOWN_LINES:,} lines and {inputs.MARKDOWN_BLOCKS:,} blocks, which make at most "
        f"{inputs.IMPORTED_SECTIONS:,} sections and take at most {inputs.IMPORT_SECONDS} seconds to parse. Each "
        f"heading, and the text beneath it, has at most {inputs.CONTENT_LENGTH:,} characters."
    ),
]
SectionContent = Annotated[
    str | None,
    argument(description=f"The text beneath the heading, Markdown of at most {inputs.CONTENT_LENGTH:,} characters."),
]
Level = Annotated[int | None, argument(description="The level of the heading, 1 to 6.")]
NewDocumentId = Annotated[
    strawberry.ID | None, argument(description=f"An id of your own for it: {ids.DOCUMENT} {_OWN_ID}")
]
NewSectionId = Annotated[
    strawberry.ID | None, argument(description=f"An id of your own for it: {ids.SECTION} {_OWN_ID}")
]
MessageContent = Annotated[
    str,
    argument(description=f"Markdown, kept as it is, at most {inputs.MESSAGE_LENGTH:,} characters, that is not blank."),
]
ClientId = Annotated[
    str | None,
    argument(
        description="Your own key for this post, unique among your posts to this chat, at most "
        f"{inputs.CLIENT_ID_LENGTH} characters; with it, sending the post again is not a second message."
    ),
]
