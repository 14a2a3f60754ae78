"""Message numbers: how those of a chat are set right, in portions that leave it in order and open to posts.

Messages keep their order at every moment: what is numbered too low is moved up beginning with the last, what is
numbered too high is moved down beginning with the first, so no number that is given is in use. Where one portion ends,
the next one, or another run, goes on: all that it needs to know is in the rows.
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
"""How many rows a transaction sets right: others wait for it a tenth of a second."""

_LARGEST = 2**31 - 1
"""The largest number that PostgreSQL keeps in the column."""

_LOWEST = -1_000_000_000
"""No message that we number has a number like this, and there is room below."""

AS_NUMBERED: Order = (Message.seq, Message.created_at, Message.id)
AS_POSTED: Order = (Message.created_at, Message.seq, Message.id)


class Numbering(NamedTuple):
    """How far the numbering of a chat has come."""

    number: int
    """What is above it has been moved up; or, where nothing is moved up, what is not above it is right."""
    raised_by: int = 0
    """By how much messages are moved up, until none is below 1."""


async def number_messages(
    session: AsyncSession, workspace_id: str, chat_id: str, seq: int, after: Numbering | None = None
) -> Numbering | None:
    """Give a portion of the messages of a chat, from a number on, theirs; return where the next portion begins."""
    if not await _hold(session, workspace_id, chat_id):
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
        # Without the constraint that no two share a number there is no order in which portions could be made.
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
    """Note the number of the last message of a chat, which was `posted`; what was posted since follows it."""
    return await number_messages(session, workspace_id, chat_id, posted + 1, after)


async def number_all(
    session: AsyncSession, workspace_id: str, chat_id: str, chat_ids: Sequence[str], order: Order
) -> None:
    """Put the messages of chats into one of them and number them in an order, all at once."""
    ours = (Message.workspace_id == workspace_id, any_of(Message.chat_id, chat_ids))
    tell_apart((await session.scalars(select(Message.id).where(*ours))).all())
    # Not below what a number can be: what is lower than this gets another one first of all.
    lowest = await session.scalar(select(func.min(Message.seq)).where(*ours, Message.seq > _LOWEST))
    floor = min(0, lowest or 0)
    numbered = (
        select(Message.id, func.row_number().over(order_by=order).label("number")).where(*ours).subquery("numbered")
    )
    wrong = or_(Message.chat_id != chat_id, Message.seq.is_distinct_from(numbered.c.number))
    # By way of numbers that none has, because no two may share one even in between.
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
    """Raise `DatabaseDamaged` where rows share a key: which of them is meant, only a person can tell."""
    if len(set(ids)) < len(ids):
        raise DatabaseDamaged("two rows have the same key, which a person has to tell apart")


def plain(statement: Any) -> Any:
    """Return a statement that tells no session of what it changes: it ends with the transaction."""
    return statement.execution_options(synchronize_session=False)


async def _begin(session: AsyncSession, workspace_id: str, chat_id: str, seq: int) -> Numbering | None:
    """Return where the numbering of a chat begins; None: it can only be done all at once."""
    ours = _of(workspace_id, chat_id)
    # One by one: each is the end of an index.
    lowest: Any = await session.scalar(select(func.min(Message.seq)).where(*ours))
    highest: Any = await session.scalar(select(func.max(Message.seq)).where(*ours))
    if lowest is None or highest is None:
        return Numbering(0)
    raised_by = max(1 - lowest, 0) if isinstance(highest, int) else _LARGEST
    if raised_by and raised_by + highest > _LARGEST:
        return None
    # Whoever posts meanwhile takes a number that is free.
    last = await session.scalar(select(ChatSession.last_seq).where(*_chat(workspace_id, chat_id)))
    if last is None or last < highest + raised_by:
        await _note_last(session, workspace_id, chat_id, highest + raised_by)
    if raised_by:
        return Numbering(highest, raised_by)
    before = await session.scalar(select(func.max(Message.seq)).where(*ours, Message.seq < seq))
    return Numbering(before or 0)


async def _finish(session: AsyncSession, workspace_id: str, chat_id: str, last: int) -> Numbering | None:
    """Give numbers to what has none, which only happens without the constraint, and note the last one."""
    without = select(Message.id).where(*_of(workspace_id, chat_id), Message.seq.is_(None))
    ids = (await session.scalars(without.order_by(Message.created_at, Message.id).limit(PORTION))).all()
    await _renumber(session, workspace_id, [(id, None, new) for new, id in enumerate(ids, last + 1)])
    await _note_last(session, workspace_id, chat_id, last + len(ids))
    return Numbering(last + len(ids)) if len(ids) == PORTION else None


async def _renumber(session: AsyncSession, workspace_id: str, rows: Sequence[tuple[str, int | None, int]]) -> None:
    """Give messages their new numbers one after the other, in an order in which each of them is free by then."""
    tell_apart([id for id, _, _ in rows])
    changed = [{"message": id, "number": new} for id, old, new in rows if old != new]
    if changed:
        connection = await session.connection()  # the ORM has a way of its own with many sets of values
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


async def _hold(session: AsyncSession, workspace_id: str, chat_id: str) -> bool:
    held = select(ChatSession.id).where(*_chat(workspace_id, chat_id)).with_for_update()
    return await session.scalar(held) is not None


def _of(workspace_id: str, chat_id: str) -> tuple[Any, Any]:
    return Message.workspace_id == workspace_id, Message.chat_id == chat_id


def _chat(workspace_id: str, chat_id: str) -> tuple[Any, Any]:
    return ChatSession.workspace_id == workspace_id, ChatSession.id == chat_id
