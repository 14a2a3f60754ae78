"""Sections: pieces of text that stand in documents, one or several."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from db import models
from db.reading import paging
from resolvers import sections as resolvers
from schema.documents import Document, DocumentConnection
from schema.nodes import Node, PageInfo
from schema.view import View, field, resolved_by

if TYPE_CHECKING:
    from schema.chats import ChatSession


@strawberry.type(description="A piece of text with a title and a level. It can stand in several documents.")
class Section(View, Node):
    """A section."""

    represents = models.Section

    heading: str = field(
        "The heading, as inline Markdown; empty for the front matter and the text before the first heading of a "
        "document. An imported heading has all of its text, which can be longer than a title that is sent.",
        name="title",
    )
    level: int = field("The level of the heading, 1 to 6.")
    content: str = field("The text beneath the heading, as Markdown, kept as it was written.")
    created_by: str = field("The user who made it.")
    created_at: datetime = field("When it was made.")
    updated_at: datetime = field("When its title, level or text was changed last.")
    deleted_at: datetime | None = field("When it was put into the trash; null: it is not in there.")
    chat: Annotated["ChatSession", strawberry.lazy("schema.chats")] | None = resolved_by(
        resolvers.chat, "The chat of this section; null until somebody opens it with ensureSectionChat."
    )
    documents: DocumentConnection = resolved_by(resolvers.documents_of, "The documents it stands in, the newest first.")


@strawberry.type(description="A section in a page of sections.")
class SectionEdge(View):
    """An edge to a section."""

    represents = paging.Edge

    cursor: str = field("Where to go on from here.")
    node: Section | None = field("The section; null where it cannot be shown, for which there is an error.")


@strawberry.type(description="A page of sections.")
class SectionConnection(View):
    """A page of sections."""

    represents = paging.Connection

    edges: list[SectionEdge | None] = field("The sections of this page; null for one that has no place in the order.")
    page_info: PageInfo = field("Where this page stands in the whole.")


@strawberry.type(description="The fact that a section stands in a document, at a position.")
class Placement(View):
    """A placement."""

    represents = models.Placement

    document: Document | None = resolved_by(resolvers.placed_document, "The document.")
    section: Section | None = resolved_by(resolvers.placed_section, "The section.")
    position: str = field("Its place: positions ordered by their bytes give the reading order.")
    is_copy: bool = field("Whether it was placed as a copy; otherwise it is shared with other documents.")
