"""Sections: pieces of text that are placed in one or several documents."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from db import models
from db.principals import Role
from resolvers import access, users
from resolvers import placements as resolvers_of_placements
from resolvers import revisions as resolvers_of_revisions
from resolvers import sections as resolvers
from schema.access import VIEWER_CAN, VIEWER_ROLE, Rights
from schema.documents import Document, DocumentSectionEdge
from schema.nodes import Connection, Node
from schema.results import result_of
from schema.revisions import DIFF, REVISION, REVISIONS, Diff, SectionRevision
from schema.users import User
from schema.view import View, batched_by, field, input_of, resolved_by
from services import sections

if TYPE_CHECKING:
    from schema.chats import ChatSession
    from schema.placements import Placement

input_of(resolvers.Changes, "SectionChanges", "What to change of a section.")
input_of(resolvers.NewSection, "SectionInput", "A section, as you have it.")


@strawberry.type(description="A piece of text with a title and a level. It can be placed in several documents.")
class Section(View, Node):
    """A section."""

    represents = models.Section

    heading: str = field(
        "The heading, as inline Markdown; empty for the front matter and the text before the first heading of a "
        "document. An imported heading is kept whole and can be longer than the limit for titles that clients send.",
        name="title",
    )
    level: int = field("The level of the heading, 1 to 6.")
    content: str = field("The text below the heading, as Markdown, stored unchanged.", cost=5)
    content_html: str = batched_by(
        resolvers.html_of_sections,
        "The text below the heading as HTML that is safe to show, as Document.html.",
        reads=["level", "content", "link_definitions"],
        cost=100,
    )
    status: models.SectionStatus = field("The editorial status of the section.")
    tags: list[str] = field("Labels for grouping, in the order they were given.")
    details: JSON = field("A caller-defined JSON object, stored unchanged.", name="metadata")
    version: int = field("A counter: each change to the section adds one.")
    created_by: User = batched_by(users.creators, "The user who created the section.", reads=["created_by"])
    created_at: datetime = field("When the section was created.")
    updated_at: datetime = field("When the section last changed.")
    edited_by: User = batched_by(
        users.editors, "The user who made the present version.", reads=["edited_by", "created_by"]
    )
    change_summary: str | None = field("Why the present version was made; null if nothing was said.")
    is_generated: bool = field("Whether a machine wrote the present version.")
    deleted_at: datetime | None = field("When the section was moved to the trash; null if it is not in the trash.")
    chat: Annotated["ChatSession", strawberry.lazy("schema.chats")] | None = batched_by(
        resolvers.chats_of_sections,
        "The chat of the section; null until an ensure, such as ensureSectionChat, opens it.",
    )
    documents: Connection[Document] = batched_by(
        resolvers.documents_of_sections, "The documents that contain the section and that you may see, newest first."
    )
    placements: Connection[Annotated["Placement", strawberry.lazy("schema.placements")]] = batched_by(
        resolvers_of_placements.placements_of_sections,
        "The placements of the section in documents that you may see, ordered by the ids of the documents.",
    )
    is_shared: bool = batched_by(
        resolvers_of_placements.are_shared,
        "Whether several documents that you may see hold the section: a change of its text changes all of them.",
    )
    revisions: Connection[SectionRevision] = batched_by(resolvers_of_revisions.revisions_of_sections, REVISIONS)
    revision: SectionRevision | None = batched_by(resolvers_of_revisions.sections_at, REVISION)
    diff: Diff | None = batched_by(resolvers_of_revisions.diffs_of_sections, DIFF, reads=["version"])
    viewer_role: Role | None = batched_by(access.roles_on_sections, VIEWER_ROLE)
    viewer_can: Rights = batched_by(access.rights_on_sections, VIEWER_CAN)


@strawberry.type(description="The section was created in the document.")
class CreateSectionSuccess(View):
    """The success of createSection."""

    represents = sections.CreateSectionSuccess

    section: Section = field("The new section.")
    section_edge: DocumentSectionEdge | None = batched_by(
        resolvers.created_edges,
        "The new section as an edge of Document.sections, for clients that keep that list; null if an earlier call "
        "created the section and it was removed from the document since.",
    )
    document: Document | None = batched_by(
        resolvers.changed_documents, "The document in which the section was created; null if it was trashed meanwhile."
    )


@strawberry.type(description="The section has these fields, changed by this call or before.")
class UpdateSectionSuccess(View):
    """The success of updateSection."""

    represents = sections.UpdateSectionSuccess

    section: Section = field("The section.")
    is_changed: bool = field("Whether the call changed the section, and so made a new version.")


@strawberry.type
class Queries:
    """The query fields for sections."""

    section: Section | None = resolved_by(
        resolvers.section, "The section with this id; null if it does not exist or you may not see it."
    )


@strawberry.type
class Mutations:
    """The mutation fields for sections."""

    create_section = result_of(
        resolvers.create_section,
        "Create a section in a document.",
        answer="The new section, or the reason it was not created.",
    )
    update_section = result_of(
        resolvers.update_section,
        "Change the title, level, text, status, tags and metadata of a section, in all documents that hold it. Its "
        "chat stays. The state before is kept as a revision. A call that changes nothing makes no version.",
        answer="The changed section, or the reason it was not changed.",
    )
