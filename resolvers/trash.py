"""The trash: what is put into it, taken back, and taken away for good."""

from db.models import Document, Section
from db.reading.paging import Connection
from db.trash import LATEST_FIRST
from resolvers.arguments import After, DocId, First, SectionId
from resolvers.context import Info
from services import inputs, trash
from services.paging import page
from services.trash import MovedDocument, MovedSection, PurgedDocument, PurgedSection


async def trashed_documents(info: Info, first: First = inputs.PAGE_SIZE, after: After = None) -> Connection[Document]:
    asked = page(LATEST_FIRST[Document], first, after)
    return await trash.trashed(info.context.store, info.context.principal, Document, asked)


async def trashed_sections(info: Info, first: First = inputs.PAGE_SIZE, after: After = None) -> Connection[Section]:
    asked = page(LATEST_FIRST[Section], first, after)
    return await trash.trashed(info.context.store, info.context.principal, Section, asked)


async def trash_document(info: Info, doc_id: DocId) -> MovedDocument:
    return await trash.trash_document(info.context.store, info.context.principal, doc_id)


async def restore_document(info: Info, doc_id: DocId) -> MovedDocument:
    return await trash.restore_document(info.context.store, info.context.principal, doc_id)


async def purge_document(info: Info, doc_id: DocId) -> PurgedDocument:
    return await trash.purge_document(info.context.store, info.context.principal, doc_id)


async def trash_section(info: Info, section_id: SectionId) -> MovedSection:
    return await trash.trash_section(info.context.store, info.context.principal, section_id)


async def restore_section(info: Info, section_id: SectionId) -> MovedSection:
    return await trash.restore_section(info.context.store, info.context.principal, section_id)


async def purge_section(info: Info, section_id: SectionId) -> PurgedSection:
    return await trash.purge_section(info.context.store, info.context.principal, section_id)
