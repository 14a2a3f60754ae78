"""Sections: reading, creating, placing and removing them."""

from db.documents import NEWEST_FIRST, SectionEdge
from db.models import ChatSession, Document, Placement, Section
from db.reading.loaders import AwaitableOrValue
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
from resolvers.context import Info
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


def chat(root: Section, info: Info) -> AwaitableOrValue[ChatSession | None]:
    return chats.chat_of_section(info.context.store, root.id)


async def documents_of(
    root: Section, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
) -> Connection[Document]:
    return await sections.documents_of(info.context.store, root, page(NEWEST_FIRST, first, after, last, before))


def placed_document(root: Placement, info: Info) -> AwaitableOrValue[Document | None]:
    return documents.document(info.context.store, root.document_id)


def placed_section(root: Placement, info: Info) -> AwaitableOrValue[Section | None]:
    return sections.section(info.context.store, root.section_id)


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


def created_edge(root: CreateSectionSuccess, info: Info) -> SectionEdge | None:
    return None if root.placement is None else sections.edge(root.section, root.placement)


async def placed_edge(root: PlaceSectionSuccess, info: Info) -> SectionEdge | None:
    section = await info.context.store.load.sections.load(root.placement.section_id)
    return None if section is None else sections.edge(section, root.placement)


def created_in(root: CreateSectionSuccess, info: Info) -> AwaitableOrValue[Document | None]:
    return documents.document(info.context.store, root.document_id)


def removed_from(root: RemoveSectionSuccess, info: Info) -> AwaitableOrValue[Document | None]:
    return documents.document(info.context.store, root.document_id)
