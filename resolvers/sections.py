"""Sections: reading, making, placing and removing them."""

from db.documents import NEWEST_FIRST
from db.models import ChatSession, Document, Placement, Section
from db.reading.loaders import AwaitableOrValue
from db.reading.paging import Connection
from resolvers.arguments import After, DocId, First, Level, NewSectionId, SectionContent, SectionId, Title
from resolvers.context import Info
from services import chats, documents, inputs, sections
from services.paging import page
from services.sections import CreatedSection, PlacedSection, RemovedSection


def section(info: Info, id: SectionId) -> AwaitableOrValue[Section | None]:
    return sections.section(info.context.store, id)


def chat(root: Section, info: Info) -> AwaitableOrValue[ChatSession | None]:
    return chats.chat_of_section(info.context.store, root.id)


async def documents_of(
    root: Section, info: Info, first: First = inputs.PAGE_SIZE, after: After = None
) -> Connection[Document]:
    return await sections.documents_of(info.context.store, root, page(NEWEST_FIRST, first, after))


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
) -> CreatedSection:
    return await sections.create_section(info.context.store, info.context.principal, doc_id, title, content, level, id)


async def place_section(info: Info, doc_id: DocId, section_id: SectionId) -> PlacedSection:
    return await sections.place_section(info.context.store, info.context.principal, doc_id, section_id)


async def remove_section(info: Info, doc_id: DocId, section_id: SectionId) -> RemovedSection:
    return await sections.remove_section(info.context.store, info.context.principal, doc_id, section_id)
