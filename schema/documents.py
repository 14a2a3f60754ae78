"""Documents: titled, ordered arrangements of sections."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from db import documents as arrangement
from db import models
from db.reading import paging
from resolvers import documents as resolvers
from resolvers import pages, users
from schema.nodes import Connection, Edge, Node, PageInfo
from schema.results import result_of
from schema.users import User
from schema.view import View, field, resolved_by
from services import documents

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
    description: str | None = field("What it is about; null if nobody has said so.")
    tags: list[str] = field("Words by which it can be grouped, in the order they were given.")
    details: JSON = field("A JSON object of the caller's own, stored unchanged.", name="metadata")
    version: int = field("Grows by one with every change to the document or to the arrangement of its sections.")
    created_by: User = resolved_by(users.created_by, "The user who created it.")
    created_at: datetime = field("When it was created.")
    updated_at: datetime = field("When the document or the arrangement of its sections last changed.")
    deleted_at: datetime | None = field("When it was moved to the trash; null if it is not there.")
    sections: "DocumentSectionConnection" = resolved_by(resolvers.sections, "Its sections, in reading order.")
    markdown: str = resolved_by(
        resolvers.markdown,
        "The whole document as CommonMark, with its front matter: importing it again gives equal sections. Sections "
        "from other documents have the link definitions that they need, under other labels where they clash.",
        cost=1_000,
    )


@strawberry.type(description="A section as it stands in a document, and its cursor.")
class DocumentSectionEdge(View):
    """An edge to a section, with its position."""

    represents = arrangement.SectionEdge

    cursor: str = field("A cursor for use in pagination.")
    position: str = field("The position in the document: positions sorted by their bytes give the reading order.")
    node: Annotated["Section", strawberry.lazy("schema.sections")] | None = field(
        "The section; null if it cannot be shown, for which there is an error."
    )


@strawberry.type(description="A page of the sections of a document, in reading order.")
class DocumentSectionConnection(View):
    """A page of sections, with their positions."""

    represents = paging.Connection

    edges: list[DocumentSectionEdge | None] = field(
        "The sections of this page, with their cursors; null for one that has no place in the order."
    )
    page_info: PageInfo = field("Where this page stands in the whole list.")
    total_count: int = resolved_by(pages.total_count, "How many sections the document has, whatever the page.")


@strawberry.type(description="A document was created.")
class CreateDocumentSuccess(View):
    """The success of createDocument."""

    represents = documents.CreateDocumentSuccess

    document: Document = field("The new document.")
    document_edge: Edge[Document] = resolved_by(
        resolvers.created_edge, "The new document as an edge of Query.documents, for clients that keep that list."
    )


@strawberry.type(description="A document was created from a Markdown text.")
class ImportDocumentSuccess(View):
    """The success of importDocument."""

    represents = documents.ImportDocumentSuccess

    document: Document = field("The new document.")
    document_edge: Edge[Document] = resolved_by(
        resolvers.created_edge, "The new document as an edge of Query.documents, for clients that keep that list."
    )


@strawberry.type
class Queries:
    """What can be read of documents."""

    document: Document | None = resolved_by(
        resolvers.document, "A document by its id; null if it does not exist or you may not see it."
    )
    documents: Connection[Document] | None = resolved_by(
        resolvers.all_documents, "The documents of your workspace, the newest first; null only if an error occurred."
    )


@strawberry.type
class Mutations:
    """What can be done with documents."""

    import_document = result_of(
        resolvers.import_document,
        "Create a document from CommonMark: one section for each heading, and one for what stands before the first. "
        "Each process parses one import at a time; while many wait, more get TemporarilyUnavailable.",
        answer="The new document, or why it was not created.",
    )
    create_document = result_of(
        resolvers.create_document,
        "Create a document without sections.",
        answer="The new document, or why it was not created.",
    )
