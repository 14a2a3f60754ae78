"""The trash: moving documents and sections there, restoring and purging them."""

from db.models import Document, Section
from db.reading.paging import Connection
from db.trash import TRASHED
from resolvers.arguments import After, Before, DocId, First, Last, SectionId
from resolvers.context import Info
from services import trash
from services.paging import page
from services.trash import (
    PurgeDocumentResult,
    PurgeSectionResult,
    RestoreDocumentResult,
    RestoreSectionResult,
    TrashDocumentResult,
    TrashSectionResult,
)


async def trashed_documents(
    info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
) -> Connection[Document]:
    return await trash.trashed(info.context.store, Document, page(TRASHED[Document].order, first, after, last, before))


async def trashed_sections(
    info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
) -> Connection[Section]:
    return await trash.trashed(info.context.store, Section, page(TRASHED[Section].order, first, after, last, before))


async def trash_document(info: Info, doc_id: DocId) -> TrashDocumentResult:
    return await trash.trash_document(info.context.store, doc_id)


async def restore_document(info: Info, doc_id: DocId) -> RestoreDocumentResult:
    return await trash.restore_document(info.context.store, doc_id)


async def purge_document(info: Info, doc_id: DocId) -> PurgeDocumentResult:
    return await trash.purge_document(info.context.store, doc_id)


async def trash_section(info: Info, section_id: SectionId) -> TrashSectionResult:
    return await trash.trash_section(info.context.store, section_id)


async def restore_section(info: Info, section_id: SectionId) -> RestoreSectionResult:
    return await trash.restore_section(info.context.store, section_id)


async def purge_section(info: Info, section_id: SectionId) -> PurgeSectionResult:
    return await trash.purge_section(info.context.store, section_id)
