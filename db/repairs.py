"""Repairs: how rows that break an invariant are set right, each in one short transaction.

What was found may have changed since, so each repair locks first, looks again in a statement of its own, and does
nothing where all is right by now. Rows are locked in the order in which everybody locks them: documents, placements,
sections, chats, and within a table by their keys. No message is ever deleted.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db import positions, visible
from db.batches import among
from db.faults import Damaged
from db.models import ChatSession, Document, Message, Placement, Section
from db.times import utcnow

Order = tuple[InstrumentedAttribute[Any], ...]

OLDEST_FIRST: Order = (ChatSession.created_at, ChatSession.id)
"""Of several chats of a section, the first in this order is kept."""

_LOWEST = -1_000_000_000
"""No message that we number has a number like this, and there is room below."""

AS_NUMBERED: Order = (Message.seq, Message.created_at, Message.id)
AS_POSTED: Order = (Message.created_at, Message.seq, Message.id)


async def merge_chats(session: AsyncSession, workspace_id: str, section_id: str) -> None:
    """Put the messages of all chats of a section into the oldest one, as they were posted, and delete the others."""
    chats = (ChatSession.workspace_id == workspace_id, ChatSession.section_id == section_id)
    await _hold(session, Section, workspace_id, section_id)
    # By their keys, as all chats are locked; this waits for those who post.
    await session.execute(select(ChatSession.id).where(*chats).order_by(ChatSession.id).with_for_update())
    chat_ids = (await session.scalars(select(ChatSession.id).where(*chats).order_by(*OLDEST_FIRST))).all()
    if len(chat_ids) < 2:
        return
    kept, *others = chat_ids
    await _drop_client_ids(session, workspace_id, chat_ids)
    await _number(session, workspace_id, kept, chat_ids, AS_POSTED)
    newest = select(func.max(ChatSession.updated_at)).where(*chats).scalar_subquery()
    ours = ChatSession.workspace_id == workspace_id
    await session.execute(_plain(update(ChatSession).where(ours, ChatSession.id == kept).values(updated_at=newest)))
    await session.execute(_plain(delete(ChatSession).where(ours, among(ChatSession.id, others))))
    await _point(session, workspace_id, section_id)


async def delete_empty_chat(session: AsyncSession, workspace_id: str, chat_id: str) -> None:
    """Delete a chat whose section is gone, as long as nobody has posted to it."""
    await _hold(session, ChatSession, workspace_id, chat_id)
    section = exists().where(visible.chat_of_section())
    message = exists().where(Message.workspace_id == ChatSession.workspace_id, Message.chat_id == ChatSession.id)
    await session.execute(
        _plain(
            delete(ChatSession).where(
                ChatSession.workspace_id == workspace_id, ChatSession.id == chat_id, ~section, ~message
            )
        )
    )


async def delete_placement(session: AsyncSession, workspace_id: str, document_id: str, section_id: str) -> None:
    """Delete a placement whose document or section is gone."""
    standing = (
        Placement.workspace_id == workspace_id,
        Placement.document_id == document_id,
        Placement.section_id == section_id,
    )
    await _hold(session, Document, workspace_id, document_id)
    await session.execute(select(Placement.section_id).where(*standing).with_for_update())
    document = exists().where(visible.placed_in_document())
    section = exists().where(visible.placed_section())
    await session.execute(_plain(delete(Placement).where(*standing, or_(~document, ~section))))


async def forget_document(session: AsyncSession, workspace_id: str, chat_id: str) -> None:
    """Leave open through which document a chat was opened, where that document is gone."""
    await _hold(session, ChatSession, workspace_id, chat_id)
    document = exists().where(Document.workspace_id == ChatSession.workspace_id, Document.id == ChatSession.document_id)
    await session.execute(
        _plain(
            update(ChatSession)
            .where(ChatSession.workspace_id == workspace_id, ChatSession.id == chat_id, ~document)
            .values(document_id=None)
        )
    )


async def point_section(session: AsyncSession, workspace_id: str, section_id: str) -> None:
    """Point a section, be it in the trash or not, to its chat, or to none where it has none."""
    await _hold(session, Section, workspace_id, section_id)
    await _point(session, workspace_id, section_id)


async def number_messages(session: AsyncSession, workspace_id: str, chat_id: str) -> None:
    """Give the messages of a chat the numbers 1, 2, 3 ... in their order, and note the last one."""
    await _hold(session, ChatSession, workspace_id, chat_id)
    await _number(session, workspace_id, chat_id, [chat_id], AS_NUMBERED)


async def drop_client_ids(session: AsyncSession, workspace_id: str, chat_id: str) -> None:
    """Take the client id from each message of a chat that shares it with an earlier one of its author."""
    await _hold(session, ChatSession, workspace_id, chat_id)
    await _drop_client_ids(session, workspace_id, [chat_id])


async def set_positions(session: AsyncSession, workspace_id: str, document_id: str) -> None:
    """Give the placements of a document new positions, in the order in which they stand."""
    await _hold(session, Document, workspace_id, document_id)
    standing = (Placement.workspace_id == workspace_id, Placement.document_id == document_id)
    if not await session.scalar(select(or_(*bad_positions())).where(*standing)):
        return
    in_order = select(Placement.section_id).where(*standing).order_by(Placement.position, Placement.section_id)
    section_ids = (await session.scalars(in_order)).all()
    _tell_apart(section_ids)
    connection = await session.connection()  # the ORM has a way of its own with many sets of values
    await connection.execute(
        update(Placement)
        .where(*standing, Placement.section_id == bindparam("placed"))
        .values(position=bindparam("at")),
        [
            {"placed": section_id, "at": position}
            for section_id, position in zip(section_ids, positions.after(None, len(section_ids)), strict=True)
        ],
    )
    await session.execute(
        _plain(
            update(Document)
            .where(Document.workspace_id == workspace_id, Document.id == document_id)
            .values(version=Document.version + 1, updated_at=utcnow())
        )
    )


def bad_positions() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Tell of a group of placements whether two share a position, and whether one has none that is well formed."""
    malformed = func.count().filter(~positions.well_formed(Placement.position))
    return func.count(Placement.position.distinct()) < func.count(), malformed > 0


async def _hold(
    session: AsyncSession, kind: type[Document | Section | ChatSession], workspace_id: str, id: str
) -> None:
    await session.execute(select(kind.id).where(kind.workspace_id == workspace_id, kind.id == id).with_for_update())


async def _point(session: AsyncSession, workspace_id: str, section_id: str) -> None:
    chat = (
        select(ChatSession.id)
        .where(ChatSession.workspace_id == workspace_id, ChatSession.section_id == section_id)
        .order_by(*OLDEST_FIRST)
        .limit(1)
        .scalar_subquery()
    )
    await session.execute(
        _plain(
            update(Section)
            .where(
                Section.workspace_id == workspace_id,
                Section.id == section_id,
                Section.chat_session_id.is_distinct_from(chat),
            )
            .values(chat_session_id=chat)
        )
    )


async def _drop_client_ids(session: AsyncSession, workspace_id: str, chat_ids: Sequence[str]) -> None:
    earlier = aliased(Message)
    order = tuple_(*AS_POSTED)
    before = tuple_(*(getattr(earlier, column.key) for column in AS_POSTED)) < order
    shared = exists().where(
        earlier.workspace_id == workspace_id,
        among(earlier.chat_id, chat_ids),
        earlier.author == Message.author,
        earlier.client_id == Message.client_id,
        before,
    )
    await session.execute(
        _plain(
            update(Message)
            .where(Message.workspace_id == workspace_id, among(Message.chat_id, chat_ids), shared)
            .values(client_id=None)
        )
    )


async def _number(
    session: AsyncSession, workspace_id: str, chat_id: str, chat_ids: Sequence[str], order: Order
) -> None:
    """Put the messages of chats into one of them and number them in an order; those that are right stay untouched."""
    ours = (Message.workspace_id == workspace_id, among(Message.chat_id, chat_ids))
    _tell_apart((await session.scalars(select(Message.id).where(*ours))).all())
    # Not below what a number can be: what is lower than this gets another one first of all.
    lowest = await session.scalar(select(func.min(Message.seq)).where(*ours, Message.seq > _LOWEST))
    floor = min(0, lowest or 0)
    numbered = (
        select(Message.id, func.row_number().over(order_by=order).label("number")).where(*ours).subquery("numbered")
    )
    wrong = or_(Message.chat_id != chat_id, Message.seq.is_distinct_from(numbered.c.number))
    # By way of numbers that none has, because no two may share one even in between.
    await session.execute(
        _plain(
            update(Message)
            .where(*ours, Message.id == numbered.c.id, wrong)
            .values(chat_id=chat_id, seq=floor - numbered.c.number)
        )
    )
    await session.execute(
        _plain(
            update(Message)
            .where(Message.workspace_id == workspace_id, Message.chat_id == chat_id, Message.seq < floor)
            .values(seq=floor - Message.seq)
        )
    )
    count = (
        select(func.count())
        .select_from(Message)
        .where(Message.workspace_id == workspace_id, Message.chat_id == chat_id)
        .scalar_subquery()
    )
    await session.execute(
        _plain(
            update(ChatSession)
            .where(ChatSession.workspace_id == workspace_id, ChatSession.id == chat_id)
            .values(last_seq=count)
        )
    )


def _tell_apart(ids: Sequence[str]) -> None:
    if len(set(ids)) < len(ids):
        raise Damaged("two rows have the same key, which a person has to tell apart")


def _plain(statement: Any) -> Any:
    # No session has to be told: it ends with the transaction.
    return statement.execution_options(synchronize_session=False)
