"""Sections: pieces of text that stand in documents, one or several."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from db import models
from resolvers import sections as resolvers
from resolvers import users
from schema.documents import Document, DocumentSectionEdge
from schema.nodes import Connection, Node
from schema.results import result_of
from schema.users import User
from schema.view import View, enum_of, field, resolved_by
from services import sections

if TYPE_CHECKING:
    from schema.chats import ChatSession

enum_of(
    models.SectionStatus,
    "How far the text of a section has come.",
    {
        models.SectionStatus.DRAFT: "Somebody is writing it.",
        models.SectionStatus.GENERATED: "A machine wrote it, and nobody has reviewed it.",
        models.SectionStatus.REVIEWED: "Somebody has reviewed it.",
        models.SectionStatus.APPROVED: "It is approved.",
    },
)


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
    content: str = field("The text below the heading, as Markdown, stored unchanged.", cost=5)
    status: models.SectionStatus = field("How far the text has come.")
    tags: list[str] = field("Words by which it can be grouped, in the order they were given.")
    details: JSON = field("A JSON object of the caller's own, stored unchanged.", name="metadata")
    version: int = field("Grows by one with every change to its title, level, text or status.")
    created_by: User = resolved_by(users.created_by, "The user who created it.")
    created_at: datetime = field("When it was created.")
    updated_at: datetime = field("When its title, level or text last changed.")
    deleted_at: datetime | None = field("When it was moved to the trash; null if it is not there.")
    chat: Annotated["ChatSession", strawberry.lazy("schema.chats")] | None = resolved_by(
        resolvers.chat, "The chat of this section; null until somebody opens it with ensureSectionChat."
    )
    documents: Connection[Document] = resolved_by(
        resolvers.documents_of, "The documents in which it stands, the newest first."
    )


@strawberry.type(description="The fact that a section stands in a document, at a position.")
class Placement(View):
    """A placement."""

    represents = models.Placement

    document: Document | None = resolved_by(
        resolvers.placed_document, "The document; null if it was trashed meanwhile or you may not see it."
    )
    section: Section | None = resolved_by(
        resolvers.placed_section, "The section; null if it was trashed meanwhile or you may not see it."
    )
    position: str = field("The position in the document: positions sorted by their bytes give the reading order.")


@strawberry.type(description="A section was created at the end of a document.")
class CreateSectionSuccess(View):
    """The success of createSection."""

    represents = sections.CreateSectionSuccess

    section: Section = field("The new section.")
    section_edge: DocumentSectionEdge | None = resolved_by(
        resolvers.created_edge,
        "The new section as an edge of Document.sections, for clients that keep that list; null if an earlier call "
        "created it and it was removed from the document since.",
    )
    document: Document | None = resolved_by(
        resolvers.created_in, "The document that the section was created in; null if it was trashed meanwhile."
    )


@strawberry.type(description="A section stands in a document, placed now or earlier.")
class PlaceSectionSuccess(View):
    """The success of placeSection."""

    represents = sections.PlaceSectionSuccess

    placement: Placement = field("Where the section stands.")
    section_edge: DocumentSectionEdge | None = resolved_by(
        resolvers.placed_edge,
        "The section as an edge of Document.sections, for clients that keep that list; null if the section was trashed "
        "meanwhile.",
    )


@strawberry.type(description="A section was removed from a document. The section and its chat are kept.")
class RemoveSectionSuccess(View):
    """The success of removeSection."""

    represents = sections.RemoveSectionSuccess

    section: Section = field("The section, which no longer stands in the document.")
    document: Document | None = resolved_by(resolvers.removed_from, "The document; null if it was trashed meanwhile.")


@strawberry.type
class Queries:
    """What can be read of sections."""

    section: Section | None = resolved_by(
        resolvers.section, "A section by its id; null if it does not exist or you may not see it."
    )


@strawberry.type
class Mutations:
    """What can be done with sections."""

    create_section = result_of(
        resolvers.create_section,
        "Create a section at the end of a document.",
        answer="The new section, or why it was not created.",
    )
    place_section = result_of(
        resolvers.place_section,
        "Place an existing section at the end of a document, by reference; if it already stands there, it stays where "
        "it is.",
        answer="Where the section stands, or why it was not placed.",
    )
    remove_section = result_of(
        resolvers.remove_section,
        "Remove a section from a document; the section and its chat are kept.",
        answer="The section that was removed, or why it was not.",
    )
