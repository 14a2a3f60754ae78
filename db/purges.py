"""Purges: trashed documents and sections are deleted for good, in portions that are short transactions.

A small item is purged in one portion. The first portion of a large item marks it as `PURGING`, which cannot be undone.
Each portion deletes sections with their chats and histories; the last ones delete the history of a document, its grants
and its share links with it. From a very long chat a portion deletes the latest messages, so that the numbers stay
without a gap. A repeated purge continues where the last one stopped, and so does the doctor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    delete,
    func,
    inspect,
    select,
    text,
    tuple_,
    union,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from db.ids import is_findable
from db.locks import Transaction, lock_for_update
from db.models import (
    ChatSession,
    Document,
    DocumentRevision,
    FormerPlacement,
    Grant,
    Message,
    Placement,
    Section,
    SectionRevision,
    ShareLink,
    Trashable,
)
from db.reading.sql_arrays import any_of
from db.times import utcnow
from db.trash import PURGING

SECTIONS = 1_000
"""The maximum number of sections that a portion deletes from a document."""

ENTRIES = 10_000
"""The maximum number of messages, revisions and former placements that a portion deletes together."""

MANY = 100
"""With more sections than this, PostgreSQL is restricted to index scans."""

_OF_SECTION = (SectionRevision, FormerPlacement)
"""The tables with the history of sections."""

_PLAN_TYPES = ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin")
_BY_INDEX = text("SELECT " + ", ".join(f"set_config('enable_{kind}', 'off', true)" for kind in _PLAN_TYPES))
"""Makes PostgreSQL find the rows of a portion by index, also in tables that were never analysed."""


@dataclass(frozen=True)
class Purged:
    """The counts of what was purged with a document or a section."""

    section_count: int
    chat_count: int
    message_count: int

    def __add__(self, other: "Purged") -> "Purged":
        """Return the sum of both counts."""
        return Purged(
            self.section_count + other.section_count,
            self.chat_count + other.chat_count,
            self.message_count + other.message_count,
        )


@dataclass(frozen=True)
class Portion:
    """The counts of what one transaction purged, and whether more is left."""

    purged: Purged
    more: bool


async def purge_document(transaction: Transaction, document: Document) -> Portion:
    """Purge a locked document, and its sections that no other document holds. Trashed documents count as others."""
    session, workspace_id = transaction.session, transaction.workspace_id
    here = (Placement.workspace_id == workspace_id, Placement.document_id == document.id)
    held = select(Placement.section_id).where(*here).order_by(Placement.section_id).limit(SECTIONS)
    if document.deleted_at == PURGING:
        await _go_by_index(session)
    section_ids = (await transaction.lock(Placement, held)).scalars().all()
    if len(section_ids) > MANY:
        await _go_by_index(session)
    ours: Select[Any] = select(Section.id).where(Section.workspace_id == workspace_id, any_of(Section.id, section_ids))
    await transaction.lock(Section, ours.order_by(Section.id))
    # A transaction that places one of these sections elsewhere has committed, or waits for the lock.
    elsewhere = set(
        await session.scalars(
            select(Placement.section_id)
            .where(
                Placement.workspace_id == workspace_id,
                any_of(Placement.section_id, section_ids),
                Placement.document_id != document.id,
            )
            .distinct()
        )
    )
    going = [section_id for section_id in section_ids if section_id not in elsewhere]
    # Locks all chats at once, also those that stay and only forget the document, so that the lock order holds.
    chats, opened_here = await _lock_chats(transaction, going, document.id)
    fits = _fitting(going, chats, await _histories(session, workspace_id, going))
    if going and not fits:
        await _mark(session, Section, workspace_id, going[0])
        shortened = await _shorten(session, workspace_id, going[0], chats)
        await _mark(session, Document, workspace_id, document.id)
        return Portion(Purged(0, 0, shortened), more=True)
    # Sections beyond the size of this portion stay in place until the next one.
    leaving = [*elsewhere, *fits]
    if len(leaving) == len(section_ids) < SECTIONS:
        await session.execute(_plain(delete(Placement).where(*here)))
    else:
        await session.execute(_plain(delete(Placement).where(*here, any_of(Placement.section_id, leaving))))
    purged = await _purge_sections(
        session, workspace_id, fits, [chat for chat in chats if chat.section_id in set(fits)]
    )
    await session.execute(
        _plain(
            update(ChatSession)
            .where(ChatSession.workspace_id == workspace_id, any_of(ChatSession.id, opened_here))
            .values(document_id=None)
        )
    )
    more = len(section_ids) == SECTIONS or len(leaving) < len(section_ids) or len(opened_here) >= SECTIONS
    if more or await _forget(session, workspace_id, (DocumentRevision, FormerPlacement), "document_id", document.id):
        await _mark(session, Document, workspace_id, document.id)
        more = True
    else:
        for shared in (Grant, ShareLink):
            # Nobody adds one meanwhile: that takes a lock on the document.
            transaction.reach(shared)
            of_document = (shared.workspace_id == workspace_id, shared.document_id == document.id)
            await session.execute(_plain(delete(shared).where(*of_document)))
        document_row = (Document.workspace_id == workspace_id, Document.id == document.id)
        await session.execute(_plain(delete(Document).where(*document_row)))
    return Portion(purged, more)


async def lock_section(transaction: Transaction, section_id: str) -> Section | None:
    """Lock the placements of a section, then the section as `lock_for_update` does: this is the lock order."""
    if is_findable(section_id):
        placed = select(Placement.document_id).where(*_standing(transaction.workspace_id, section_id))
        await transaction.lock(Placement, placed.order_by(Placement.document_id))
    return await lock_for_update(transaction, Section, section_id)


async def purge_section(transaction: Transaction, section: Section) -> Portion:
    """Purge a locked section from all its documents, with its chat."""
    session, workspace_id = transaction.session, transaction.workspace_id
    chats, _ = await _lock_chats(transaction, [section.id])
    if not _fitting([section.id], chats, await _histories(session, workspace_id, [section.id])):
        await _mark(session, Section, workspace_id, section.id)
        return Portion(Purged(0, 0, await _shorten(session, workspace_id, section.id, chats)), more=True)
    await session.execute(_plain(delete(Placement).where(*_standing(workspace_id, section.id))))
    return Portion(await _purge_sections(session, workspace_id, [section.id], chats), more=False)


async def continue_document_purge(
    session: AsyncSession, workspace_id: str, document_id: str, after: tuple[Any, ...] | None = None
) -> tuple[Any, ...] | None:
    """Purge the next portion of a document whose purge has begun; a repair."""
    transaction = Transaction(session, workspace_id)
    document = await lock_for_update(transaction, Document, document_id)
    if document is None or document.deleted_at != PURGING:
        return None
    return (document_id,) if (await purge_document(transaction, document)).more else None


async def continue_section_purge(
    session: AsyncSession, workspace_id: str, section_id: str, after: tuple[Any, ...] | None = None
) -> tuple[Any, ...] | None:
    """Purge the next portion of a section whose purge has begun; a repair."""
    transaction = Transaction(session, workspace_id)
    section = await lock_section(transaction, section_id)
    if section is None or section.deleted_at != PURGING:
        return None
    return (section_id,) if (await purge_section(transaction, section)).more else None


async def _go_by_index(session: AsyncSession) -> None:
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(_BY_INDEX)


def _standing(workspace_id: str, section_id: str) -> tuple[ColumnElement[bool], ...]:
    return Placement.workspace_id == workspace_id, Placement.section_id == section_id


def _fitting(section_ids: Sequence[str], chats: Sequence[Any], histories: Mapping[str, int]) -> list[str]:
    """Return the leading sections whose messages and histories together fit into one portion."""
    count = {chat.section_id: chat.last_seq for chat in chats}
    fits: list[str] = []
    left = ENTRIES
    for section_id in section_ids:
        left -= count.get(section_id, 0) + histories.get(section_id, 0)
        if left < 0:
            break
        fits.append(section_id)
    return fits


async def _histories(session: AsyncSession, workspace_id: str, section_ids: Sequence[str]) -> Mapping[str, int]:
    """Count, for each section, its revisions and former placements."""
    parts = [
        select(kind.section_id).where(kind.workspace_id == workspace_id, any_of(kind.section_id, section_ids))
        for kind in _OF_SECTION
    ]
    every = union_all(*parts).subquery()
    counts = select(every.c.section_id, func.count()).group_by(every.c.section_id)
    return dict((await session.execute(counts)).all())


async def _forget(session: AsyncSession, workspace_id: str, kinds: Sequence[Any], owner: str, row_id: str) -> bool:
    """Delete the history of an item from some tables, as much as a portion may. True: there may be more."""
    left = ENTRIES
    for kind in kinds:
        key = inspect(kind).primary_key
        of_row = (kind.workspace_id == workspace_id, getattr(kind, owner) == row_id)
        some = select(*key).where(*of_row).limit(left)
        deleted = await session.execute(_plain(delete(kind).where(*of_row, tuple_(*key).in_(some))))
        left -= cast(CursorResult[Any], deleted).rowcount
        if left <= 0:
            return True
    return False


async def _mark(session: AsyncSession, kind: type[Trashable], workspace_id: str, row_id: str) -> None:
    """Mark an item as being purged, with the time of this portion."""
    marked = update(kind).where(kind.workspace_id == workspace_id, kind.id == row_id)
    await session.execute(_plain(marked.values(deleted_at=PURGING, updated_at=utcnow())))


async def _shorten(session: AsyncSession, workspace_id: str, section_id: str, chats: Sequence[Any]) -> int:
    """Delete some of the history of a section or, if there is none, the latest messages of its locked chat.

    Returns the number of deleted messages.
    """
    if await _forget(session, workspace_id, _OF_SECTION, "section_id", section_id):
        return 0
    chat = next((chat for chat in chats if chat.section_id == section_id), None)
    if chat is None:
        return 0
    last = max(0, chat.last_seq - ENTRIES)
    latest = (Message.workspace_id == workspace_id, Message.chat_id == chat.id, Message.seq > last)
    messages = await session.execute(_plain(delete(Message).where(*latest)))
    shortened = update(ChatSession).where(ChatSession.workspace_id == workspace_id, ChatSession.id == chat.id)
    await session.execute(_plain(shortened.values(last_seq=last)))
    return cast(CursorResult[Any], messages).rowcount


async def _lock_chats(
    transaction: Transaction, section_ids: Sequence[str], document_id: str | None = None
) -> tuple[list[Any], list[str]]:
    """Lock the chats of sections, and some of those opened through a document, and return both.

    The first list follows the order of the sections and has the last number of each chat. The second list has ids.
    """
    workspace_id = transaction.workspace_id
    ours = select(ChatSession.id).where(ChatSession.workspace_id == workspace_id)
    opened = ours.where(ChatSession.document_id == document_id).limit(SECTIONS).subquery("opened")
    # A UNION, so that each part uses its own index: with OR, SQLite would scan all chats of the workspace.
    wanted = union(ours.where(any_of(ChatSession.section_id, section_ids)), select(opened.c.id))
    rows = (
        select(ChatSession.id, ChatSession.section_id, ChatSession.last_seq, ChatSession.document_id)
        .where(ChatSession.workspace_id == workspace_id, ChatSession.id.in_(wanted))
        .order_by(ChatSession.id)
    )
    chats = (await transaction.lock(ChatSession, rows)).all()
    place = {section_id: number for number, section_id in enumerate(section_ids)}
    going = sorted((chat for chat in chats if chat.section_id in place), key=lambda chat: place[chat.section_id])
    opened_here = [chat.id for chat in chats if document_id is not None and chat.document_id == document_id]
    return going, opened_here


async def _purge_sections(
    session: AsyncSession, workspace_id: str, section_ids: Sequence[str], chats: Sequence[Any]
) -> Purged:
    """Delete locked sections and their locked chats."""
    chat_ids = [chat.id for chat in chats]
    # Locking the chats waited for running posts, so this statement sees their messages.
    messages = await session.execute(
        _plain(delete(Message).where(Message.workspace_id == workspace_id, any_of(Message.chat_id, chat_ids)))
    )
    await session.execute(
        _plain(delete(ChatSession).where(ChatSession.workspace_id == workspace_id, any_of(ChatSession.id, chat_ids)))
    )
    for kind in _OF_SECTION:
        # Nobody adds to a history meanwhile: that takes a lock on the section, or on its placement.
        gone = (kind.workspace_id == workspace_id, any_of(kind.section_id, section_ids))
        await session.execute(_plain(delete(kind).where(*gone)))
    await session.execute(
        _plain(delete(Section).where(Section.workspace_id == workspace_id, any_of(Section.id, section_ids)))
    )
    return Purged(len(section_ids), len(chat_ids), cast(CursorResult[Any], messages).rowcount)


def _plain(statement: Any) -> Any:
    # The session ends with the transaction and need not be synchronized.
    return statement.execution_options(synchronize_session=False)
