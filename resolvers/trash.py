"""The trash: what is put into it, taken back, and taken away for good."""

from resolvers.arguments import DocId, SectionId
from resolvers.context import Info
from services import trash
from services.trash import MovedDocument, MovedSection, PurgedDocument, PurgedSection


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
