"""Sections: reading, creating, placing and removing them."""

from collections.abc import Sequence

from db.documents import NEWEST_FIRST, SectionEdge
from db.models import ChatSession, Document, Placement, Section
from db.reading.loaders import AwaitableOrValue, Loaded
from db.reading.paging import Connection
from resolvers.arguments import (
    After,
    Before,
    DocId,
    First,
    Last,
    Level,
    NewSectionId,
    SectionContent,
    SectionId,
    Title,
)
from resolvers.context import Info, Parents
from services import chats, documents, sections
from services.paging import page
from services.sections import (
    CreateSectionResult,
    CreateSectionSuccess,
    PlaceSectionResult,
    PlaceSectionSuccess,
    RemoveSectionResult,
    RemoveSectionSuccess,
)


def section(info: Info, id: SectionId) -> AwaitableOrValue[Section | None]:
    return sections.section(info.context.store, id)


def chats_of_sections(info: Info, placed: Parents[Section]) -> AwaitableOrValue[Sequence[Loaded[ChatSession | None]]]:
    return chats.of_sections(info.context.store, placed)


async def documents_of_sections(
    info: Info,
    placed: Parents[Section],
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Sequence[Loaded[Connection[Document]]]:
    return await sections.documents_of(info.context.store, placed, page(NEWEST_FIRST, first, after, last, before))


def documents_of_placements(
    info: Info, placements: Parents[Placement]
) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_ids(info.context.store, [placement.document_id for placement in placements])


def sections_of_placements(
    info: Info, placements: Parents[Placement]
) -> AwaitableOrValue[Sequence[Loaded[Section | None]]]:
    return sections.of_ids(info.context.store, [placement.section_id for placement in placements])


async def create_section(
    info: Info,
    doc_id: DocId,
    title: Title,
    content: SectionContent = "",
    level: Level = 1,
    id: NewSectionId = None,
) -> CreateSectionResult:
    return await sections.create_section(info.context.store, doc_id, title, content, level, id)


async def place_section(info: Info, doc_id: DocId, section_id: SectionId) -> PlaceSectionResult:
    return await sections.place_section(info.context.store, doc_id, section_id)


async def remove_section(info: Info, doc_id: DocId, section_id: SectionId) -> RemoveSectionResult:
    return await sections.remove_section(info.context.store, doc_id, section_id)


def created_edges(info: Info, created: Parents[CreateSectionSuccess]) -> Sequence[SectionEdge | None]:
    return [sections.edge(each.section, each.placement) if each.placement else None for each in created]


async def placed_edges(info: Info, placed: Parents[PlaceSectionSuccess]) -> Sequence[Loaded[SectionEdge | None]]:
    return await sections.placed_edges(info.context.store, [each.placement for each in placed])


def changed_documents(
    info: Info, changes: Parents[CreateSectionSuccess | RemoveSectionSuccess]
) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_ids(info.context.store, [each.document_id for each in changes])
