"""Documents: titled, ordered arrangements of sections."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from db import documents, models
from db.reading import paging
from resolvers import documents as resolvers
from schema.nodes import Node, PageInfo
from schema.view import View, field, resolved_by

if TYPE_CHECKING:
    from schema.sections import Section


@strawberry.type(description="A titled, ordered arrangement of sections.")
class Document(View, Node):
    """A document."""

    represents = models.Document

    title: str = field(
        "One line of text. Of a document that was imported without a title, the title in its front matter, or else its "
        "first heading, as inline Markdown."
    )
    description: str | None = field("What it is about.")
    created_by: str = field("The user who made it.")
    created_at: datetime = field("When it was made.")
    updated_at: datetime = field("When it, or the arrangement of its sections, was changed last.")
    deleted_at: datetime | None = field("When it was put into the trash; null: it is not in there.")
    sections: "DocumentSectionConnection" = resolved_by(resolvers.sections, "Its sections, in reading order.")
    markdown: str = resolved_by(
        resolvers.markdown,
        "The whole document as CommonMark, with its front matter: importing it again gives equal sections. Sections "
        "from other documents have the link definitions that they need, under other labels where they clash.",
    )


@strawberry.type(description="A document in a page of documents.")
class DocumentEdge(View):
    """An edge to a document."""

    represents = paging.Edge

    cursor: str = field("Where to go on from here.")
    node: Document | None = field("The document; null where it cannot be shown, for which there is an error.")


@strawberry.type(description="A page of documents.")
class DocumentConnection(View):
    """A page of documents."""

    represents = paging.Connection

    edges: list[DocumentEdge | None] = field("The documents of this page; null for one that has no place in the order.")
    page_info: PageInfo = field("Where this page stands in the whole.")


@strawberry.type(description="A section as it stands in a document.")
class DocumentSectionEdge(View):
    """An edge to a section, with its placement."""

    represents = documents.SectionEdge

    cursor: str = field("Where to go on from here.")
    position: str = field("Its place: positions ordered by their bytes give the reading order.")
    is_copy: bool = field("Whether it was placed as a copy; otherwise it is shared with other documents.")
    node: Annotated["Section", strawberry.lazy("schema.sections")] | None = field(
        "The section; null where it cannot be shown, for which there is an error."
    )


@strawberry.type(description="A page of the sections of a document, in reading order.")
class DocumentSectionConnection(View):
    """A page of sections."""

    represents = paging.Connection

    edges: list[DocumentSectionEdge | None] = field(
        "The sections of this page; null for one that has no place in the order."
    )
    page_info: PageInfo = field("Where this page stands in the whole.")
