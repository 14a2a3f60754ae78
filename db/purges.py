"""Purges: documents and sections in the trash, taken away for good, in portions that are short transactions.

What is small goes at once. Of what is large, the first portion marks it as `PURGING`, from which there is no way back;
each portion takes sections away with their chats, and of a very long chat the latest messages, so that its numbers stay
without a gap. Whoever purges again goes on with what is left, and so does the doctor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Select, delete, select, text, union, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.ids import is_findable
from db.locks import Transaction, lock_for_update
from db.models import ChatSession, Document, Message, Placement, Section, Trashable
from db.reading.sql_arrays import any_of
from db.times import utcnow
from db.trash import PURGING

SECTIONS = 1_000
"""How many sections of a document a portion takes away at most."""

MESSAGES = 10_000
"""How many messages a portion takes away at most."""

MANY = 100
"""From how many sections on PostgreSQL is told to go by its indexes."""

_WAYS = ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin")
_BY_INDEX = text("SELECT " + ", ".join(f"set_config('enable_{way}', 'off', true)" for way in _WAYS))
"""Has PostgreSQL find by an index what a portion is about, also in tables that were never analysed."""


@dataclass(frozen=True)
class Purged:
    """What is gone for good with a document or a section."""

    section_count: int
    chat_count: int
    message_count: int

    def __add__(self, other: "Purged") -> "Purged":
        """Return what is gone with both."""
        return Purged(
            self.section_count + other.section_count,
            self.chat_count + other.chat_count,
            self.message_count + other.message_count,
        )


@dataclass(frozen=True)
class Portion:
    """What a transaction has taken away, and whether something is left."""

    purged: Purged
    more: bool


async def purge_document(transaction: Transaction, document: Document) -> Portion:
    """Take a document that is held away, and the sections that stand in no other, not even in the trash."""
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
    # Whoever places one of them elsewhere has done so, or waits for the lock.
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
    # All chats at once, also those that stay and forget the document: nobody waits for one while holding others.
    chats, opened_here = await _lock_chats(transaction, going, document.id)
    fits = _fitting(going, chats)
    if going and not fits:
        await _mark(session, Section, workspace_id, going[0])
        shortened = await _shorten(session, workspace_id, chats[0])
        await _mark(session, Document, workspace_id, document.id)
        return Portion(Purged(0, 0, shortened), more=True)
    # What is too much for this portion stays where it is until the next one.
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
    if more:
        await _mark(session, Document, workspace_id, document.id)
    else:
        document_row = (Document.workspace_id == workspace_id, Document.id == document.id)
        await session.execute(_plain(delete(Document).where(*document_row)))
    return Portion(purged, more)


async def lock_section(transaction: Transaction, section_id: str) -> Section | None:
    """Lock a section as `lock_for_update` does, after its placements, which come first in the order of locks."""
    if is_findable(section_id):
        placed = select(Placement.document_id).where(*_standing(transaction.workspace_id, section_id))
        await transaction.lock(Placement, placed.order_by(Placement.document_id))
    return await lock_for_update(transaction, Section, section_id)


async def purge_section(transaction: Transaction, section: Section) -> Portion:
    """Take a section that is held away, wherever it stands, with its chat."""
    session, workspace_id = transaction.session, transaction.workspace_id
    chats, _ = await _lock_chats(transaction, [section.id])
    if not _fitting([section.id], chats):
        await _mark(session, Section, workspace_id, section.id)
        return Portion(Purged(0, 0, await _shorten(session, workspace_id, chats[0])), more=True)
    await session.execute(_plain(delete(Placement).where(*_standing(workspace_id, section.id))))
    return Portion(await _purge_sections(session, workspace_id, [section.id], chats), more=False)


async def go_on_with_document(
    session: AsyncSession, workspace_id: str, document_id: str, after: tuple[Any, ...] | None = None
) -> tuple[Any, ...] | None:
    """Take away a portion of a document whose purge was begun; a repair."""
    transaction = Transaction(session, workspace_id)
    document = await lock_for_update(transaction, Document, document_id)
    if document is None or document.deleted_at != PURGING:
        return None
    return (document_id,) if (await purge_document(transaction, document)).more else None


async def go_on_with_section(
    session: AsyncSession, workspace_id: str, section_id: str, after: tuple[Any, ...] | None = None
) -> tuple[Any, ...] | None:
    """Take away a portion of a section whose purge was begun; a repair."""
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


def _fitting(section_ids: Sequence[str], chats: Sequence[Any]) -> list[str]:
    """Return the first of the sections, as many as have together no more messages than a portion takes away."""
    count = {chat.section_id: chat.last_seq for chat in chats}
    fits: list[str] = []
    left = MESSAGES
    for section_id in section_ids:
        left -= count.get(section_id, 0)
        if left < 0:
            break
        fits.append(section_id)
    return fits


async def _mark(session: AsyncSession, kind: type[Trashable], workspace_id: str, row_id: str) -> None:
    """Note that a purge was begun, and when it did something last."""
    marked = update(kind).where(kind.workspace_id == workspace_id, kind.id == row_id)
    await session.execute(_plain(marked.values(deleted_at=PURGING, updated_at=utcnow())))


async def _shorten(session: AsyncSession, workspace_id: str, chat: Any) -> int:
    """Take the latest messages of a chat that is held away; return how many."""
    last = chat.last_seq - MESSAGES
    latest = (Message.workspace_id == workspace_id, Message.chat_id == chat.id, Message.seq > last)
    messages = await session.execute(_plain(delete(Message).where(*latest)))
    shortened = update(ChatSession).where(ChatSession.workspace_id == workspace_id, ChatSession.id == chat.id)
    await session.execute(_plain(shortened.values(last_seq=last)))
    return cast(CursorResult[Any], messages).rowcount


async def _lock_chats(
    transaction: Transaction, section_ids: Sequence[str], document_id: str | None = None
) -> tuple[list[Any], list[str]]:
    """Lock the chats of sections, and some of those that were opened through a document; return both.

    The former come in the order of the sections, with the last number of each, the latter as ids.
    """
    workspace_id = transaction.workspace_id
    ours = select(ChatSession.id).where(ChatSession.workspace_id == workspace_id)
    opened = ours.where(ChatSession.document_id == document_id).limit(SECTIONS).subquery("opened")
    # Each by its own index: asked for either, SQLite would look through all chats of the workspace.
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
    """Take sections and their chats, all of which are held, away."""
    chat_ids = [chat.id for chat in chats]
    # The chats are held, which has waited for those who post: their messages are among these.
    messages = await session.execute(
        _plain(delete(Message).where(Message.workspace_id == workspace_id, any_of(Message.chat_id, chat_ids)))
    )
    await session.execute(
        _plain(delete(ChatSession).where(ChatSession.workspace_id == workspace_id, any_of(ChatSession.id, chat_ids)))
    )
    await session.execute(
        _plain(delete(Section).where(Section.workspace_id == workspace_id, any_of(Section.id, section_ids)))
    )
    return Purged(len(section_ids), len(chat_ids), cast(CursorResult[Any], messages).rowcount)


def _plain(statement: Any) -> Any:
    # The rows are gone with the transaction; no session has to be told.
    return statement.execution_options(synchronize_session=False)
