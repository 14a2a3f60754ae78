"""Repairs: fixing rows that violate an invariant, in short transactions.

A repair of a chat or document of any size runs in portions. Each portion is a transaction, leaves the data better than
before, and returns where the next one begins. A finding may be stale, so each repair locks first, looks again in a new
statement, and does nothing if the rows are right by now. Rows are locked in the common lock order: documents,
placements, sections, chats, and within a table by their keys. No repair deletes a message.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from db import positions
from db.doctor.message_numbers import AS_POSTED, Order, number_all, tell_apart
from db.doctor.message_numbers import number_last as number_last
from db.doctor.message_numbers import number_messages as number_messages
from db.doctor.message_numbers import plain as _plain
from db.models import ChatSession, Document, Message, Placement, Section
from db.reading import visibility
from db.reading.sql_arrays import any_of
from db.times import utcnow

Cursor = tuple[Any, ...]
"""The start of the next portion of a repair."""

PORTION = 2_000
"""The number of placements that a transaction reads."""

OLDEST_FIRST: Order = (ChatSession.created_at, ChatSession.id)
"""The order of a section's chats; a merge keeps the first."""


async def merge_chats(session: AsyncSession, workspace_id: str, section_id: str) -> None:
    """Move the messages of all chats of a section into the oldest one, as they were posted, and delete the others."""
    chats = (ChatSession.workspace_id == workspace_id, ChatSession.section_id == section_id)
    await _lock(session, Section, workspace_id, section_id)
    # In the order of their keys, like all locks on chats. This waits for running posts.
    await session.execute(select(ChatSession.id).where(*chats).order_by(ChatSession.id).with_for_update())
    chat_ids = (await session.scalars(select(ChatSession.id).where(*chats).order_by(*OLDEST_FIRST))).all()
    if len(chat_ids) < 2:
        return
    kept, *others = chat_ids
    await _drop_client_ids(session, workspace_id, chat_ids)
    await number_all(session, workspace_id, kept, chat_ids, AS_POSTED)
    newest = select(func.max(ChatSession.updated_at)).where(*chats).scalar_subquery()
    ours = ChatSession.workspace_id == workspace_id
    await session.execute(_plain(update(ChatSession).where(ours, ChatSession.id == kept).values(updated_at=newest)))
    await session.execute(_plain(delete(ChatSession).where(ours, any_of(ChatSession.id, others))))
    await _point(session, workspace_id, section_id)


async def delete_empty_chat(session: AsyncSession, workspace_id: str, chat_id: str) -> None:
    """Delete a chat whose section is gone, unless it has messages."""
    await _lock(session, ChatSession, workspace_id, chat_id)
    section = exists().where(visibility.chat_of_section())
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
    await _lock(session, Document, workspace_id, document_id)
    await session.execute(select(Placement.section_id).where(*standing).with_for_update())
    document = exists().where(visibility.placed_in_document())
    section = exists().where(visibility.placed_section())
    await session.execute(_plain(delete(Placement).where(*standing, or_(~document, ~section))))


async def forget_document(session: AsyncSession, workspace_id: str, chat_id: str) -> None:
    """Clear a chat's reference to the document it was opened through, if that document is gone."""
    await _lock(session, ChatSession, workspace_id, chat_id)
    document = exists().where(Document.workspace_id == ChatSession.workspace_id, Document.id == ChatSession.document_id)
    await session.execute(
        _plain(
            update(ChatSession)
            .where(ChatSession.workspace_id == workspace_id, ChatSession.id == chat_id, ~document)
            .values(document_id=None)
        )
    )


async def point_section(session: AsyncSession, workspace_id: str, section_id: str) -> None:
    """Point a section, trashed or not, to its chat, or to none if it has none."""
    await _lock(session, Section, workspace_id, section_id)
    await _point(session, workspace_id, section_id)


async def drop_client_id(session: AsyncSession, workspace_id: str, chat_id: str, message_id: str) -> None:
    """Remove the client id of a message if an earlier message of its author has the same."""
    await _lock(session, ChatSession, workspace_id, chat_id)
    await _drop_client_ids(session, workspace_id, [chat_id], Message.id == message_id)


async def set_positions(
    session: AsyncSession, workspace_id: str, document_id: str, after: Cursor | None = None
) -> Cursor | None:
    """Assign new positions to placements of a document whose positions are malformed or duplicates, in place.

    Each call reads one portion, and continues to the next placement that can stay. The others keep their positions.
    """
    await _lock(session, Document, workspace_id, document_id)
    good, changed, run = after, list[tuple[str, str]](), list[str]()
    behind = after
    while True:
        rows = await _next_placements(session, workspace_id, document_id, behind)
        for position, section_id, well_formed in rows:
            behind = position, section_id
            if not well_formed or (good is not None and position == good[0]):
                run.append(section_id)
                continue
            changed += _between(good, position, run)
            good, run = (position, section_id), []
        is_last = len(rows) < PORTION
        if is_last:
            changed += _between(good, None, run)
        if is_last or not run:
            break
    if changed:
        await _place(session, workspace_id, document_id, changed)
    return None if is_last else good


async def _next_placements(
    session: AsyncSession, workspace_id: str, document_id: str, after: Cursor | None
) -> Sequence[Any]:
    order = (Placement.position, Placement.section_id)
    behind = [] if after is None else [tuple_(*order) > after]
    return (
        await session.execute(
            select(*order, positions.well_formed(Placement.position))
            .where(Placement.workspace_id == workspace_id, Placement.document_id == document_id, *behind)
            .order_by(*order)
            .limit(PORTION)
        )
    ).all()


def _between(good: Cursor | None, end: str | None, section_ids: Sequence[str]) -> list[tuple[str, str]]:
    start, beside = (None, []) if good is None else (good[0], [good[1]])
    tell_apart([*beside, *section_ids])
    return list(zip(section_ids, positions.between(start, end, len(section_ids)), strict=True))


async def _place(session: AsyncSession, workspace_id: str, document_id: str, placed: Sequence[tuple[str, str]]) -> None:
    connection = await session.connection()  # the ORM treats an executemany update differently
    for begin in range(0, len(placed), PORTION):
        await connection.execute(
            update(Placement)
            .where(
                Placement.workspace_id == workspace_id,
                Placement.document_id == document_id,
                Placement.section_id == bindparam("placed"),
            )
            .values(position=bindparam("at")),
            [{"placed": section_id, "at": position} for section_id, position in placed[begin : begin + PORTION]],
        )
    await session.execute(
        _plain(
            update(Document)
            .where(Document.workspace_id == workspace_id, Document.id == document_id)
            .values(version=Document.version + 1, updated_at=utcnow())
        )
    )


async def _lock(
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


async def _drop_client_ids(session: AsyncSession, workspace_id: str, chat_ids: Sequence[str], *which: Any) -> None:
    earlier = aliased(Message)
    order = tuple_(*AS_POSTED)
    before = tuple_(*(getattr(earlier, column.key) for column in AS_POSTED)) < order
    shared = exists().where(
        earlier.workspace_id == workspace_id,
        any_of(earlier.chat_id, chat_ids),
        earlier.author == Message.author,
        earlier.client_id == Message.client_id,
        before,
    )
    await session.execute(
        _plain(
            update(Message)
            .where(Message.workspace_id == workspace_id, any_of(Message.chat_id, chat_ids), shared, *which)
            .values(client_id=None)
        )
    )
