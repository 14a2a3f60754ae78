"""Message numbers: renumbering the messages of a chat in portions, while posts continue.

Messages keep their order at every moment. Numbers that are too low are raised, beginning with the last message.
Numbers that are too high are lowered, beginning with the first. So no new number is ever in use. The next portion, or
another run, continues where one ends: all state is in the rows.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from db.connection.errors import DatabaseDamaged
from db.models import ChatSession, Message
from db.reading.sql_arrays import any_of

Order = tuple[InstrumentedAttribute[Any], ...]

PORTION = 2_000
"""The number of rows that a transaction renumbers: other transactions wait for it a tenth of a second."""

_LARGEST = 2**31 - 1
"""The largest number that the column holds on PostgreSQL."""

_LOWEST = -1_000_000_000
"""A number that we never assign, with room below it."""

AS_NUMBERED: Order = (Message.seq, Message.created_at, Message.id)
AS_POSTED: Order = (Message.created_at, Message.seq, Message.id)


class Numbering(NamedTuple):
    """The progress of renumbering a chat."""

    number: int
    """While messages are raised, those above this number are done. Otherwise, those up to this number are."""
    raised_by: int = 0
    """The amount by which messages are raised, so that none stays below 1."""


async def number_messages(
    session: AsyncSession, workspace_id: str, chat_id: str, seq: int, after: Numbering | None = None
) -> Numbering | None:
    """Renumber a portion of a chat's messages, from a number on. Return where the next portion begins."""
    if not await _lock_chat(session, workspace_id, chat_id):
        return None
    after = after or await _begin(session, workspace_id, chat_id, seq)
    ours = _of(workspace_id, chat_id)
    if after is not None and after.raised_by:
        wanted = select(Message.id, Message.seq).where(*ours, Message.seq <= after.number).order_by(Message.seq.desc())
    elif after is not None:
        wanted = select(Message.id, Message.seq).where(*ours, Message.seq > after.number).order_by(Message.seq)
    else:
        wanted = None
    rows = [] if wanted is None else [(id, number) for id, number in await session.execute(wanted.limit(PORTION + 1))]
    if after is None or len({number for _, number in rows}) < len(rows):
        # Duplicate numbers, possible without the unique constraint, have no order that could be split into portions.
        await number_all(session, workspace_id, chat_id, [chat_id], AS_NUMBERED)
        return None
    more, rows = len(rows) > PORTION, rows[:PORTION]
    if after.raised_by:
        await _renumber(session, workspace_id, [(id, number, number + after.raised_by) for id, number in rows])
        return Numbering(rows[-1][1] - 1, after.raised_by) if more else Numbering(0)
    await _renumber(session, workspace_id, [(id, old, new) for new, (id, old) in enumerate(rows, after.number + 1)])
    last = after.number + len(rows)
    return Numbering(last) if more else await _finish(session, workspace_id, chat_id, last)


async def number_last(
    session: AsyncSession, workspace_id: str, chat_id: str, posted: int, after: Numbering | None = None
) -> Numbering | None:
    """Store the number of a chat's last message, which was `posted`. Messages posted since follow it."""
    return await number_messages(session, workspace_id, chat_id, posted + 1, after)


async def number_all(
    session: AsyncSession, workspace_id: str, chat_id: str, chat_ids: Sequence[str], order: Order
) -> None:
    """Move the messages of chats into one of them, and number them in an order, all at once."""
    ours = (Message.workspace_id == workspace_id, any_of(Message.chat_id, chat_ids))
    tell_apart((await session.scalars(select(Message.id).where(*ours))).all())
    # Stays within the column's range: messages with lower numbers are renumbered first.
    lowest = await session.scalar(select(func.min(Message.seq)).where(*ours, Message.seq > _LOWEST))
    floor = min(0, lowest or 0)
    numbered = (
        select(Message.id, func.row_number().over(order_by=order).label("number")).where(*ours).subquery("numbered")
    )
    wrong = or_(Message.chat_id != chat_id, Message.seq.is_distinct_from(numbered.c.number))
    # First to numbers that no message has, because duplicates are forbidden even in between.
    await session.execute(
        plain(
            update(Message)
            .where(*ours, Message.id == numbered.c.id, wrong)
            .values(chat_id=chat_id, seq=floor - numbered.c.number)
        )
    )
    here = _of(workspace_id, chat_id)
    await session.execute(plain(update(Message).where(*here, Message.seq < floor).values(seq=floor - Message.seq)))
    count = await session.scalar(select(func.count()).select_from(Message).where(*here))
    await _note_last(session, workspace_id, chat_id, count or 0)


def tell_apart(ids: Sequence[str]) -> None:
    """Raise `DatabaseDamaged` if rows share a key: only a person can tell which one is meant."""
    if len(set(ids)) < len(ids):
        raise DatabaseDamaged("two rows have the same key, which a person has to tell apart")


def plain(statement: Any) -> Any:
    """Return the statement without session synchronization: the session ends with the transaction."""
    return statement.execution_options(synchronize_session=False)


async def _begin(session: AsyncSession, workspace_id: str, chat_id: str, seq: int) -> Numbering | None:
    """Return where the renumbering of a chat begins. None: it can only be done all at once."""
    ours = _of(workspace_id, chat_id)
    # Two statements: each reads one end of an index.
    lowest: Any = await session.scalar(select(func.min(Message.seq)).where(*ours))
    highest: Any = await session.scalar(select(func.max(Message.seq)).where(*ours))
    if lowest is None or highest is None:
        return Numbering(0)
    raised_by = max(1 - lowest, 0) if isinstance(highest, int) else _LARGEST
    if raised_by and raised_by + highest > _LARGEST:
        return None
    # Concurrent posts then take a free number.
    last = await session.scalar(select(ChatSession.last_seq).where(*_chat(workspace_id, chat_id)))
    if last is None or last < highest + raised_by:
        await _note_last(session, workspace_id, chat_id, highest + raised_by)
    if raised_by:
        return Numbering(highest, raised_by)
    before = await session.scalar(select(func.max(Message.seq)).where(*ours, Message.seq < seq))
    return Numbering(before or 0)


async def _finish(session: AsyncSession, workspace_id: str, chat_id: str, last: int) -> Numbering | None:
    """Assign numbers to messages without one, possible only without the constraint, and store the last number."""
    without = select(Message.id).where(*_of(workspace_id, chat_id), Message.seq.is_(None))
    ids = (await session.scalars(without.order_by(Message.created_at, Message.id).limit(PORTION))).all()
    await _renumber(session, workspace_id, [(id, None, new) for new, id in enumerate(ids, last + 1)])
    await _note_last(session, workspace_id, chat_id, last + len(ids))
    return Numbering(last + len(ids)) if len(ids) == PORTION else None


async def _renumber(session: AsyncSession, workspace_id: str, rows: Sequence[tuple[str, int | None, int]]) -> None:
    """Set new message numbers one by one, in an order in which each number is free when it is set."""
    tell_apart([id for id, _, _ in rows])
    changed = [{"message": id, "number": new} for id, old, new in rows if old != new]
    if changed:
        connection = await session.connection()  # the ORM treats an executemany update differently
        await connection.execute(
            update(Message)
            .where(Message.workspace_id == workspace_id, Message.id == bindparam("message"))
            .values(seq=bindparam("number")),
            changed,
        )


async def _note_last(session: AsyncSession, workspace_id: str, chat_id: str, last: int) -> None:
    chat = _chat(workspace_id, chat_id)
    wrong = ChatSession.last_seq.is_distinct_from(last)
    await session.execute(plain(update(ChatSession).where(*chat, wrong).values(last_seq=last)))


async def _lock_chat(session: AsyncSession, workspace_id: str, chat_id: str) -> bool:
    held = select(ChatSession.id).where(*_chat(workspace_id, chat_id)).with_for_update()
    return await session.scalar(held) is not None


def _of(workspace_id: str, chat_id: str) -> tuple[Any, Any]:
    return Message.workspace_id == workspace_id, Message.chat_id == chat_id


def _chat(workspace_id: str, chat_id: str) -> tuple[Any, Any]:
    return ChatSession.workspace_id == workspace_id, ChatSession.id == chat_id
