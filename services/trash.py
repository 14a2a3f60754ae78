"""The trash: moves documents and sections to the trash, restores them, and purges them."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from db import purges, trash
from db.audit import AuditAction
from db.locks import lock_for_update
from db.models import Document, Section, Trashable
from db.purges import Portion, Purged
from db.reading.paging import Connection, Page
from db.store import Store, Transaction
from services import access, audit
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
"""The time after which a purge starts no further portion and returns `TemporarilyUnavailable`."""


@dataclass(frozen=True)
class TrashDocumentSuccess:
    """The document, which is in the trash."""

    document: Document


@dataclass(frozen=True)
class RestoreDocumentSuccess:
    """The document, which is no longer in the trash."""

    document: Document


@dataclass(frozen=True)
class PurgeDocumentSuccess:
    """The counts of what was deleted permanently with a document."""

    document_id: str
    removed: Purged


@dataclass(frozen=True)
class TrashSectionSuccess:
    """The section, which is in the trash."""

    section: Section


@dataclass(frozen=True)
class RestoreSectionSuccess:
    """The section, which is no longer in the trash."""

    section: Section


@dataclass(frozen=True)
class PurgeSectionSuccess:
    """The counts of what was deleted permanently with a section."""

    section_id: str
    removed: Purged


TrashDocumentResult = TrashDocumentSuccess | DocumentNotFound | Forbidden | TemporarilyUnavailable
RestoreDocumentResult = RestoreDocumentSuccess | DocumentNotFound | Forbidden | TemporarilyUnavailable
PurgeDocumentResult = PurgeDocumentSuccess | DocumentNotFound | NotInTrash | Forbidden | TemporarilyUnavailable
TrashSectionResult = TrashSectionSuccess | SectionNotFound | Forbidden | TemporarilyUnavailable
RestoreSectionResult = RestoreSectionSuccess | SectionNotFound | Forbidden | TemporarilyUnavailable
PurgeSectionResult = PurgeSectionSuccess | SectionNotFound | NotInTrash | Forbidden | TemporarilyUnavailable


async def trashed(store: Store, kind: type[Trashable], page: Page) -> Connection[Trashable]:
    """Return a page of the trash, most recently trashed first: the items that the principal may restore."""
    least = access.LEAST_ROLES[Action.USE_TRASH]
    return (await store.trashed(kind, least, page)).counted_by(lambda: store.count_trashed(kind, least))


@command
async def trash_document(store: Store, document_id: str) -> TrashDocumentResult:
    """Move a document to the trash, which hides it; its sections and their chats are kept."""
    if refused := await access.on_document(store, Action.USE_TRASH, document_id, in_trash=True, is_known=True):
        return refused
    moved = await _move(store, Document, document_id, trash.move_to_trash)
    return DocumentNotFound(document_id) if moved is None else TrashDocumentSuccess(moved)


@command
async def restore_document(store: Store, document_id: str) -> RestoreDocumentResult:
    """Restore a document from the trash, as it was before."""
    if refused := await access.on_document(store, Action.USE_TRASH, document_id, in_trash=True, is_known=True):
        return refused
    moved = await _move(store, Document, document_id, trash.restore)
    return DocumentNotFound(document_id) if moved is None else RestoreDocumentSuccess(moved)


@long_command
async def purge_document(store: Store, document_id: str) -> PurgeDocumentResult:
    """Delete a trashed document permanently, with the sections that are in no other document, and their chats."""
    if refused := await access.on_document(store, Action.PURGE, document_id, in_trash=True, is_known=True):
        return await audit.recorded(store, AuditAction.PURGE_DOCUMENT, refused)

    async def purge(transaction: Transaction) -> Portion | DocumentNotFound | NotInTrash:
        document = await lock_for_update(transaction, Document, document_id)
        if document is None:
            return DocumentNotFound(document_id)
        if document.deleted_at is None:
            return NotInTrash(document_id)
        if document.deleted_at != trash.PURGING:
            # With the first portion: from here on there is no way back.
            await audit.record(transaction, store, AuditAction.PURGE_DOCUMENT, document_id)
        return await purges.purge_document(transaction, document)

    removed: Purged | DocumentNotFound | NotInTrash | TemporarilyUnavailable = await _in_portions(store, purge)
    return PurgeDocumentSuccess(document_id, removed) if isinstance(removed, Purged) else removed


@command
async def trash_section(store: Store, section_id: str) -> TrashSectionResult:
    """Move a section to the trash, which hides it and its chat in all its documents; both are kept."""
    if refused := await access.on_section(store, Action.USE_TRASH, section_id, in_trash=True, is_known=True):
        return refused
    moved = await _move(store, Section, section_id, trash.move_to_trash)
    return SectionNotFound(section_id) if moved is None else TrashSectionSuccess(moved)


@command
async def restore_section(store: Store, section_id: str) -> RestoreSectionResult:
    """Restore a section from the trash, with its chat, to its previous positions."""
    if refused := await access.on_section(store, Action.USE_TRASH, section_id, in_trash=True, is_known=True):
        return refused
    moved = await _move(store, Section, section_id, trash.restore)
    return SectionNotFound(section_id) if moved is None else RestoreSectionSuccess(moved)


@long_command
async def purge_section(store: Store, section_id: str) -> PurgeSectionResult:
    """Delete a trashed section permanently from all its documents, with its chat and messages."""
    if refused := await access.on_section(store, Action.PURGE, section_id, in_trash=True, is_known=True):
        return await audit.recorded(store, AuditAction.PURGE_SECTION, refused)

    async def purge(transaction: Transaction) -> Portion | SectionNotFound | NotInTrash:
        section = await purges.lock_section(transaction, section_id)
        if section is None:
            return SectionNotFound(section_id)
        if section.deleted_at is None:
            return NotInTrash(section_id)
        if section.deleted_at != trash.PURGING:
            await audit.record(transaction, store, AuditAction.PURGE_SECTION, section_id)
        return await purges.purge_section(transaction, section)

    removed: Purged | SectionNotFound | NotInTrash | TemporarilyUnavailable = await _in_portions(store, purge)
    return PurgeSectionSuccess(section_id, removed) if isinstance(removed, Purged) else removed


async def _in_portions(
    store: Store, purge: Callable[[Transaction], Awaitable[Portion | No]]
) -> Purged | No | TemporarilyUnavailable:
    """Purge in portions and return the counts, or `TemporarilyUnavailable` if more calls are needed."""
    gone: Purged | None = None
    until = time.monotonic() + PURGE_SECONDS
    while True:
        portion = await store.transact(purge)
        if not isinstance(portion, Portion):
            # Another call deleted the rest; an error would mean that nothing was changed.
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
