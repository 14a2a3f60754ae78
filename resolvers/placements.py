"""Placements: placing, copying, moving, replacing and removing the sections of a document."""

from collections.abc import Sequence
from typing import Annotated

import strawberry
from strawberry import argument

from db import ids
from db.documents import BY_DOCUMENT, SectionEdge
from db.models import Document, Placement, Section
from db.placements import LAST, At, Side
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.paging import Connection
from resolvers.arguments import After, Before, DocId, Fields, First, Last, NewSectionId, Prefixed, SectionId, optional
from resolvers.context import Info, Parents
from services import documents, placements, sections
from services.outcomes import BadArgument, ErrorCode
from services.paging import page
from services.placements import (
    CopySectionResult,
    CopySectionSuccess,
    MoveSectionResult,
    MoveSectionSuccess,
    PlaceSectionResult,
    PlaceSectionSuccess,
    RemoveSectionResult,
    RemoveSectionSuccess,
    ReplaceSectionResult,
    ReplaceSectionSuccess,
)


class SectionPosition(Fields):
    """Where a client wants a section; `schema/placements.py` makes it an input type of exactly one field."""

    first: bool | None = optional("Before all other sections of the document; always true.")
    last: bool | None = optional("Behind all other sections of the document; always true.")
    before: strawberry.ID | None = optional("Right before this section of the document. The prefix sec_ is optional.")
    after: strawberry.ID | None = optional("Right behind this section of the document. The prefix sec_ is optional.")


Position = Annotated[SectionPosition | None, argument(description="Where in the document; without it, at the end.")]
MovePosition = Annotated[SectionPosition, argument(description="Where in the document.")]
CopyPosition = Annotated[
    SectionPosition | None,
    argument(
        description="Where in the document; without it, right behind the section that is copied, if the document holds "
        "it, or else at the end."
    ),
]
ReplacementId = Annotated[
    strawberry.ID,
    argument(description="The id of the section that takes the place. The prefix sec_ is optional."),
    Prefixed(ids.SECTION),
]


def at_of(position: SectionPosition | None) -> At:
    """Return a place in the order of a document. Raises `BadArgument`."""
    if position is None:
        return LAST
    ((side, value),) = position.given().items()
    if value is False:
        raise BadArgument(f"at.{side} is false; leave it out, or choose another place", ErrorCode.INVALID_INPUT)
    return At(Side(side), None if value is True else ids.with_prefix(ids.SECTION, value))


def documents_of_placements(
    info: Info, placements: Parents[Placement]
) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_ids(info.context.store, [placement.document_id for placement in placements])


def sections_of_placements(
    info: Info, placements: Parents[Placement]
) -> AwaitableOrValue[Sequence[Loaded[Section | None]]]:
    return sections.of_ids(info.context.store, [placement.section_id for placement in placements])


async def placements_of_sections(
    info: Info,
    placed: Parents[Section],
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Sequence[Loaded[Connection[Placement]]]:
    return await placements.of_sections(info.context.store, placed, page(BY_DOCUMENT, first, after, last, before))


async def are_shared(info: Info, placed: Parents[Section]) -> Sequence[Loaded[bool]]:
    return await placements.are_shared(info.context.store, placed)


async def place_section(info: Info, doc_id: DocId, section_id: SectionId, at: Position = None) -> PlaceSectionResult:
    return await placements.place_section(info.context.store, doc_id, section_id, at_of(at))


async def copy_section(
    info: Info, doc_id: DocId, section_id: SectionId, at: CopyPosition = None, id: NewSectionId = None
) -> CopySectionResult:
    return await placements.copy_section(info.context.store, doc_id, section_id, None if at is None else at_of(at), id)


async def move_section(info: Info, doc_id: DocId, section_id: SectionId, at: MovePosition) -> MoveSectionResult:
    return await placements.move_section(info.context.store, doc_id, section_id, at_of(at))


async def replace_section(
    info: Info, doc_id: DocId, section_id: SectionId, replacement_id: ReplacementId
) -> ReplaceSectionResult:
    return await placements.replace_section(info.context.store, doc_id, section_id, replacement_id)


async def remove_section(info: Info, doc_id: DocId, section_id: SectionId) -> RemoveSectionResult:
    return await placements.remove_section(info.context.store, doc_id, section_id)


async def placed_edges(
    info: Info, placed: Parents[PlaceSectionSuccess | MoveSectionSuccess | ReplaceSectionSuccess]
) -> Sequence[Loaded[SectionEdge | None]]:
    return await placements.edges(info.context.store, [each.placement for each in placed])


def copied_edges(info: Info, copied: Parents[CopySectionSuccess]) -> Sequence[SectionEdge | None]:
    return [sections.edge(each.section, each.placement) if each.placement else None for each in copied]


def changed_documents(
    info: Info, changes: Parents[CopySectionSuccess | RemoveSectionSuccess]
) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_ids(info.context.store, [each.document_id for each in changes])


def arranged_documents(
    info: Info, changes: Parents[PlaceSectionSuccess | MoveSectionSuccess | ReplaceSectionSuccess]
) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_ids(info.context.store, [each.placement.document_id for each in changes])
