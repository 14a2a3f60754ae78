"""Sync: a document is brought to what its editor shows now."""

from typing import Annotated

from strawberry import argument

from resolvers.arguments import DocId, ExpectedVersion
from resolvers.context import Info
from resolvers.sections import NewSection
from services import limits, sync
from services.sync import SyncDocumentResult

SyncTitle = Annotated[
    str | None,
    argument(
        description=f"The title, one non-blank line of at most {limits.TITLE_LENGTH:,} characters; without it, the "
        "title stays."
    ),
]
Sections = Annotated[
    list[NewSection],
    argument(
        description=f"The sections in their order, at most {limits.IMPORTED_SECTIONS:,}, each with its id. Of a "
        "section that exists, a field that is left out stays."
    ),
]


async def sync_document(
    info: Info,
    doc_id: DocId,
    sections: Sections,
    title: SyncTitle = None,
    expected_version: ExpectedVersion = None,
) -> SyncDocumentResult:
    wanted = [section.of_section() for section in sections]
    return await sync.sync_document(info.context.store, doc_id, title, wanted, expected_version)
