"""The trash: documents and sections that are taken away, brought back, and taken away for good."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from db import purges, trash
from db.locks import lock_for_update
from db.models import Document, Section, Trashable
from db.purges import Portion, Purged
from db.reading.paging import Connection, Page, connection
from db.store import Store, Transaction
from services import access
from services.access import Action
from services.commands import command, long_command
from services.outcomes import (
    DocumentNotFound,
    Forbidden,
    NotInTrash,
    SectionNotFound,
    TemporarilyUnavailable,
)

No = TypeVar("No")

PURGE_SECONDS = 20.0
"""How long a purge goes on with portion after portion before it asks its caller to come again."""


@dataclass(frozen=True)
class TrashDocumentSuccess:
    """The document, which is in the trash."""

    document: Document


@dataclass(frozen=True)
class RestoreDocumentSuccess:
    """The document, which is out of the trash."""

    document: Document


@dataclass(frozen=True)
class PurgeDocumentSuccess:
    """What was removed for good with a document."""

    document_id: str
    removed: Purged


@dataclass(frozen=True)
class TrashSectionSuccess:
    """The section, which is in the trash."""

    section: Section


@dataclass(frozen=True)
class RestoreSectionSuccess:
    """The section, which is out of the trash."""

    section: Section


@dataclass(frozen=True)
class PurgeSectionSuccess:
    """What was removed for good with a section."""

    section_id: str
    removed: Purged


TrashDocumentResult = TrashDocumentSuccess | DocumentNotFound | Forbidden | TemporarilyUnavailable
RestoreDocumentResult = RestoreDocumentSuccess | DocumentNotFound | Forbidden | TemporarilyUnavailable
PurgeDocumentResult = PurgeDocumentSuccess | DocumentNotFound | NotInTrash | Forbidden | TemporarilyUnavailable
TrashSectionResult = TrashSectionSuccess | SectionNotFound | Forbidden | TemporarilyUnavailable
RestoreSectionResult = RestoreSectionSuccess | SectionNotFound | Forbidden | TemporarilyUnavailable
PurgeSectionResult = PurgeSectionSuccess | SectionNotFound | NotInTrash | Forbidden | TemporarilyUnavailable


async def trashed(store: Store, kind: type[Trashable], page: Page) -> Connection[Trashable]:
    """Return a page of what is in the trash, the latest first. For those who may not edit there is nothing in it."""
    if not access.may(store, Action.USE_TRASH):
        return connection([], Page(0))
    return (await store.trashed(kind, page)).counted_by(lambda: store.count_trashed(kind))


@command
async def trash_document(store: Store, document_id: str) -> TrashDocumentResult:
    """Put a document into the trash, where nobody sees it; its sections and their chats are kept."""
    if refused := await _refused_document(store, Action.USE_TRASH, document_id):
        return refused
    moved = await _move(store, Document, document_id, trash.move_to_trash)
    return DocumentNotFound(document_id) if moved is None else TrashDocumentSuccess(moved)


@command
async def restore_document(store: Store, document_id: str) -> RestoreDocumentResult:
    """Take a document out of the trash; all is as it was."""
    if refused := await _refused_document(store, Action.USE_TRASH, document_id):
        return refused
    moved = await _move(store, Document, document_id, trash.restore)
    return DocumentNotFound(document_id) if moved is None else RestoreDocumentSuccess(moved)


@long_command
async def purge_document(store: Store, document_id: str) -> PurgeDocumentResult:
    """Take a document that is in the trash away for good, and the sections that stand nowhere else with their chats."""
    if refused := await _refused_document(store, Action.PURGE, document_id):
        return refused

    async def purge(transaction: Transaction) -> Portion | DocumentNotFound | NotInTrash:
        document = await lock_for_update(transaction, Document, document_id)
        if document is None:
            return DocumentNotFound(document_id)
        if document.deleted_at is None:
            return NotInTrash(document_id)
        return await purges.purge_document(transaction, document)

    removed: Purged | DocumentNotFound | NotInTrash | TemporarilyUnavailable = await _in_portions(store, purge)
    return PurgeDocumentSuccess(document_id, removed) if isinstance(removed, Purged) else removed


@command
async def trash_section(store: Store, section_id: str) -> TrashSectionResult:
    """Put a section into the trash: it is hidden in all its documents, and so is its chat; both are kept."""
    if refused := await _refused_section(store, Action.USE_TRASH, section_id):
        return refused
    moved = await _move(store, Section, section_id, trash.move_to_trash)
    return SectionNotFound(section_id) if moved is None else TrashSectionSuccess(moved)


@command
async def restore_section(store: Store, section_id: str) -> RestoreSectionResult:
    """Take a section out of the trash; it is back where it stood, with its chat."""
    if refused := await _refused_section(store, Action.USE_TRASH, section_id):
        return refused
    moved = await _move(store, Section, section_id, trash.restore)
    return SectionNotFound(section_id) if moved is None else RestoreSectionSuccess(moved)


@long_command
async def purge_section(store: Store, section_id: str) -> PurgeSectionResult:
    """Take a section that is in the trash away for good, wherever it stands, with its chat and the messages."""
    if refused := await _refused_section(store, Action.PURGE, section_id):
        return refused

    async def purge(transaction: Transaction) -> Portion | SectionNotFound | NotInTrash:
        section = await purges.lock_section(transaction, section_id)
        if section is None:
            return SectionNotFound(section_id)
        if section.deleted_at is None:
            return NotInTrash(section_id)
        return await purges.purge_section(transaction, section)

    removed: Purged | SectionNotFound | NotInTrash | TemporarilyUnavailable = await _in_portions(store, purge)
    return PurgeSectionSuccess(section_id, removed) if isinstance(removed, Purged) else removed


async def _in_portions(
    store: Store, purge: Callable[[Transaction], Awaitable[Portion | No]]
) -> Purged | No | TemporarilyUnavailable:
    """Purge portion after portion, and return what is gone; where that takes too long, the next call goes on."""
    gone: Purged | None = None
    until = time.monotonic() + PURGE_SECONDS
    while True:
        portion = await store.transact(purge)
        if not isinstance(portion, Portion):
            # Somebody else has taken away the rest: a "no" would mean that nothing was changed.
            return portion if gone is None else gone
        gone = portion.purged if gone is None else gone + portion.purged
        if not portion.more:
            return gone
        if time.monotonic() > until:
            return TemporarilyUnavailable()


async def _move(
    store: Store, kind: type[Trashable], row_id: str, move: Callable[[Transaction, Trashable], Awaitable[Trashable]]
) -> Trashable | None:
    async def work(transaction: Transaction) -> Trashable | None:
        row = await lock_for_update(transaction, kind, row_id)
        return None if row is None or row.deleted_at == trash.PURGING else await move(transaction, row)

    return await store.transact(work)


# Who may not change it may not look into the trash either: what is in there does not exist for them.


async def _refused_document(store: Store, action: Action, document_id: str) -> DocumentNotFound | Forbidden | None:
    if access.may(store, action):
        return None
    seen = await store.load.documents.load(document_id) is not None
    if seen or (access.may(store, Action.USE_TRASH) and await store.is_trashed(Document, document_id)):
        return Forbidden(document_id)
    return DocumentNotFound(document_id)


async def _refused_section(store: Store, action: Action, section_id: str) -> SectionNotFound | Forbidden | None:
    if access.may(store, action):
        return None
    seen = await store.load.sections.load(section_id) is not None
    if seen or (access.may(store, Action.USE_TRASH) and await store.is_trashed(Section, section_id)):
        return Forbidden(section_id)
    return SectionNotFound(section_id)
