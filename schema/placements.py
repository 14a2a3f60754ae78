"""Placements: the sections of a document in their order."""

import strawberry

from db import models
from resolvers import placements as resolvers
from schema.documents import Document, DocumentSectionEdge
from schema.nodes import Node
from schema.results import result_of
from schema.sections import Section
from schema.view import View, batched_by, field, input_of
from services import placements

SECTION_EDGE = (
    "The section as an edge of Document.sections, for clients that keep that list; null if the section was trashed "
    "meanwhile."
)
DOCUMENT = "The document, with its new version; null if it was trashed meanwhile."

input_of(
    resolvers.SectionPosition,
    "SectionPosition",
    "A place in the order of a document. Exactly one field is given.",
    one_of=True,
)


@strawberry.type(description="The placement of a section in a document, at a position.")
class Placement(View, Node):
    """A placement."""

    represents = models.Placement

    document: Document | None = batched_by(
        resolvers.documents_of_placements, "The document; null if it was trashed meanwhile or you may not see it."
    )
    section: Section | None = batched_by(
        resolvers.sections_of_placements, "The section; null if it was trashed meanwhile or you may not see it."
    )
    position: str = field("The position in the document. Sorting positions by their bytes gives the reading order.")
    is_copy: bool = field("Whether the section came into the document as a copy of another.")


@strawberry.type(description="The section is in the document, placed by this call or earlier.")
class PlaceSectionSuccess(View):
    """The success of placeSection."""

    represents = placements.PlaceSectionSuccess

    placement: Placement = field("The placement of the section.")
    section_edge: DocumentSectionEdge | None = batched_by(resolvers.placed_edges, SECTION_EDGE)
    document: Document | None = batched_by(resolvers.arranged_documents, DOCUMENT)


@strawberry.type(description="The document holds a copy of the section, which is a section of its own.")
class CopySectionSuccess(View):
    """The success of copySection."""

    represents = placements.CopySectionSuccess

    section: Section = field("The copy.")
    section_edge: DocumentSectionEdge | None = batched_by(
        resolvers.copied_edges,
        "The copy as an edge of Document.sections, for clients that keep that list; null if an earlier call made the "
        "copy and it was removed from the document since.",
    )
    document: Document | None = batched_by(resolvers.changed_documents, DOCUMENT)


@strawberry.type(description="The section is at the place, moved by this call or there before.")
class MoveSectionSuccess(View):
    """The success of moveSection."""

    represents = placements.MoveSectionSuccess

    placement: Placement = field("The placement of the section.")
    section_edge: DocumentSectionEdge | None = batched_by(resolvers.placed_edges, SECTION_EDGE)
    document: Document | None = batched_by(resolvers.arranged_documents, DOCUMENT)


@strawberry.type(description="The replacement is in the place of the section, which is kept with its chat.")
class ReplaceSectionSuccess(View):
    """The success of replaceSection."""

    represents = placements.ReplaceSectionSuccess

    placement: Placement = field("The placement of the replacement.")
    section_edge: DocumentSectionEdge | None = batched_by(resolvers.placed_edges, SECTION_EDGE)
    replaced: Section = field("The section that is no longer in the document.")
    document: Document | None = batched_by(resolvers.arranged_documents, DOCUMENT)


@strawberry.type(description="The section was removed from the document. The section and its chat are kept.")
class RemoveSectionSuccess(View):
    """The success of removeSection."""

    represents = placements.RemoveSectionSuccess

    section: Section = field("The section, which is no longer in the document.")
    document: Document | None = batched_by(resolvers.changed_documents, DOCUMENT)


@strawberry.type
class Mutations:
    """The mutation fields for placements."""

    place_section = result_of(
        resolvers.place_section,
        "Place an existing section in a document, by reference: its text, its history and its chat are the same in all "
        "documents that hold it. A section that is already in the document keeps its position.",
        answer="The placement of the section, or the reason it was not placed.",
    )
    copy_section = result_of(
        resolvers.copy_section,
        "Place a copy of a section in a document. The copy is a section of its own, with a history and a chat of its "
        "own.",
        answer="The copy, or the reason it was not made.",
    )
    move_section = result_of(
        resolvers.move_section,
        "Move a section within a document. A section that is already there keeps its position.",
        answer="The placement of the section, or the reason it was not moved.",
    )
    replace_section = result_of(
        resolvers.replace_section,
        "Put an existing section in the place of another, which is removed from the document. Both are kept, with "
        "their chats. If the document holds the replacement already, it moves.",
        answer="The placement of the replacement, or the reason the section was not replaced.",
    )
    remove_section = result_of(
        resolvers.remove_section,
        "Remove a section from a document. The section and its chat are kept.",
        answer="The removed section, or the reason it was not removed.",
    )
