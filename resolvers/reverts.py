"""Reverts: documents and sections get an earlier version back."""

from resolvers.arguments import DocId, ExpectedVersion, SectionId, Summary
from resolvers.context import Info
from resolvers.revisions import Version
from services import reverts
from services.reverts import RevertDocumentResult, RevertSectionResult


async def revert_section(
    info: Info,
    section_id: SectionId,
    version: Version,
    expected_version: ExpectedVersion = None,
    summary: Summary = None,
) -> RevertSectionResult:
    return await reverts.revert_section(info.context.store, section_id, version, expected_version, summary)


async def revert_document(
    info: Info,
    doc_id: DocId,
    version: Version,
    expected_version: ExpectedVersion = None,
    summary: Summary = None,
) -> RevertDocumentResult:
    return await reverts.revert_document(info.context.store, doc_id, version, expected_version, summary)
