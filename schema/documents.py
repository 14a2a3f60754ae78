"""Documents: titled, ordered arrangements of sections."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from db import documents as arrangement
from db import models
from db.principals import Role
from db.reading import paging
from resolvers import access, pages, users
from resolvers import documents as resolvers
from resolvers import grants as resolvers_of_grants
from resolvers import revisions as resolvers_of_revisions
from resolvers import share_links as resolvers_of_links
from schema.access import VIEWER_CAN, VIEWER_ROLE, Rights
from schema.grants import Grant
from schema.nodes import Connection, Edge, Node, PageInfo
from schema.results import result_of
from schema.revisions import DIFF, REVISION, REVISIONS, Diff, DocumentRevision
from schema.share_links import ShareLink
from schema.users import User
from schema.view import View, batched_by, field, input_of, resolved_by
from services import documents

if TYPE_CHECKING:
    from schema.sections import Section


input_of(resolvers.Changes, "DocumentChanges", "What to change of a document.")


@strawberry.type(description="A titled, ordered arrangement of sections.")
class Document(View, Node):
    """A document."""

    represents = models.Document

    title: str = field(
        "The title, one line of text. A document imported without a title takes the title in its front matter, or else "
        "its first heading, as inline Markdown."
    )
    description: str | None = field("A description of the document; null if none was given.")
    tags: list[str] = field("Labels for grouping, in the order they were given.")
    details: JSON = field("A caller-defined JSON object, stored unchanged.", name="metadata")
    version: int = field("A counter: each change to the document or to the arrangement of its sections adds one.")
    created_by: User = batched_by(users.creators, "The user who created the document.", reads=["created_by"])
    created_at: datetime = field("When the document was created.")
    updated_at: datetime = field("When the document or the arrangement of its sections last changed.")
    edited_by: User = batched_by(
        users.editors, "The user who made the present version.", reads=["edited_by", "created_by"]
    )
    change_summary: str | None = field("Why the present version was made; null if nothing was said.")
    is_generated: bool = field("Whether a machine made the present version.")
    deleted_at: datetime | None = field("When the document was moved to the trash; null if it is not in the trash.")
    sections: "DocumentSectionConnection" = batched_by(
        resolvers.sections_of_documents, "The sections of the document, in reading order."
    )
    revisions: Connection[DocumentRevision] = batched_by(resolvers_of_revisions.revisions_of_documents, REVISIONS)
    revision: DocumentRevision | None = batched_by(resolvers_of_revisions.documents_at, REVISION)
    diff: Diff | None = batched_by(resolvers_of_revisions.diffs_of_documents, DIFF, reads=["version"])
    viewer_role: Role | None = batched_by(access.roles_on_documents, VIEWER_ROLE)
    viewer_can: Rights = batched_by(access.rights_on_documents, VIEWER_CAN)
    access: models.DocumentAccess = field("Who may use the document without a grant.")
    grants: Connection[Grant] = batched_by(
        resolvers_of_grants.grants_of_documents,
        "The roles of users on this document, ordered by the ids of the users; empty unless you may edit it.",
    )
    share_links: Connection[ShareLink] = batched_by(
        resolvers_of_links.share_links_of_documents,
        "The share links of this document, newest first, with those that expired or were revoked; empty unless you may "
        "edit it.",
    )
    html: str = batched_by(
        resolvers.html_of_documents,
        "The whole document as HTML that is safe to show: CommonMark with tables and strikethrough, without the front "
        "matter. HTML in the texts is shown as text. A text that takes too long is shown as it was written.",
        cost=1_000,
    )
    markdown: str = batched_by(
        resolvers.markdown_of_documents,
        "The whole document as CommonMark, with its front matter. Importing it again creates equal sections. Sections "
        "from other documents include the link definitions that they need, under other labels where labels clash.",
        cost=1_000,
    )


@strawberry.type(description="A section of a document, with its cursor and position.")
class DocumentSectionEdge(View):
    """An edge to a section, with its position."""

    represents = arrangement.SectionEdge

    cursor: str = field("A cursor for use in pagination.")
    position: str = field("The position in the document. Sorting positions by their bytes gives the reading order.")
    is_copy: bool = field("Whether the section came into the document as a copy of another.")
    node: Annotated["Section", strawberry.lazy("schema.sections")] | None = field(
        "The section; null if it cannot be returned, in which case the response has an error."
    )


@strawberry.type(description="A page of the sections of a document, in reading order.")
class DocumentSectionConnection(View):
    """A page of sections, with their positions."""

    represents = paging.Connection

    edges: list[DocumentSectionEdge | None] = field(
        "The sections of this page, with their cursors. An edge is null if its sort key cannot be read."
    )
    page_info: PageInfo = field("Information about this page, for pagination.")
    total_count: int = batched_by(pages.total_counts, "The number of sections in the document, across all pages.")


@strawberry.type(description="The document was created.")
class CreateDocumentSuccess(View):
    """The success of createDocument."""

    represents = documents.CreateDocumentSuccess

    document: Document = field("The new document.")
    document_edge: Edge[Document] = batched_by(
        resolvers.created_edges, "The new document as an edge of Query.documents, for clients that keep that list."
    )


@strawberry.type(description="The document has these fields, changed by this call or before.")
class UpdateDocumentSuccess(View):
    """The success of updateDocument."""

    represents = documents.UpdateDocumentSuccess

    document: Document = field("The document.")
    is_changed: bool = field("Whether the call changed the document, and so made a new version.")


@strawberry.type(description="The document was created from Markdown.")
class ImportDocumentSuccess(View):
    """The success of importDocument."""

    represents = documents.ImportDocumentSuccess

    document: Document = field("The new document.")
    document_edge: Edge[Document] = batched_by(
        resolvers.created_edges, "The new document as an edge of Query.documents, for clients that keep that list."
    )


@strawberry.type
class Queries:
    """The query fields for documents."""

    document: Document | None = resolved_by(
        resolvers.document, "The document with this id; null if it does not exist or you may not see it."
    )


@strawberry.type
class Mutations:
    """The mutation fields for documents."""

    import_document = result_of(
        resolvers.import_document,
        "Create a document from CommonMark: one section for each heading, and one for the text before the first "
        "heading. Each server process parses one import at a time. While too much text waits, further imports return "
        "TemporarilyUnavailable.",
        answer="The new document, or the reason it was not created.",
    )
    create_document = result_of(
        resolvers.create_document,
        "Create a document without sections.",
        answer="The new document, or the reason it was not created.",
    )
    update_document = result_of(
        resolvers.update_document,
        "Change the title, description, tags and metadata of a document. The state before is kept as a revision. A "
        "call that changes nothing makes no version.",
        answer="The changed document, or the reason it was not changed.",
    )
