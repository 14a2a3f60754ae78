"""Chats and their messages: what is read, and how a message gets its number."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import ChatSession, Message, Section
from db.paging import Connection, Edge, Order, Page, read_pages
from db.times import utcnow

BY_NUMBER = Order("messages", (Message.seq,))


def living(workspace_id: str) -> Select[ChatSession]:
    """Select the chats that can be seen: those whose section is not in the trash."""
    return (
        select(ChatSession)
        .join(Section, _chat_of_section())
        .where(ChatSession.workspace_id == workspace_id, Section.deleted_at.is_(None))
    )


def living_messages(workspace_id: str) -> Select[Message]:
    """Select the messages of the chats that can be seen."""
    return (
        select(Message)
        .join(
            ChatSession,
            and_(ChatSession.workspace_id == Message.workspace_id, ChatSession.id == Message.chat_id),
        )
        .join(Section, _chat_of_section())
        .where(Message.workspace_id == workspace_id, Section.deleted_at.is_(None))
    )


async def messages(
    session: AsyncSession, workspace_id: str, chat_ids: Sequence[str], page: Page
) -> Mapping[str, Connection[Message]]:
    """Read, for each chat, a page of its messages by number."""
    return await read_pages(
        session,
        select(Message).where(Message.workspace_id == workspace_id),
        BY_NUMBER,
        page,
        _edge,
        parent=Message.chat_id,
        parents=chat_ids,
        identity=(Message.workspace_id, Message.id),
    )


async def message_of_client(
    session: AsyncSession, workspace_id: str, chat_id: str, author: str, client_id: str
) -> Message | None:
    """Read the message that an author has posted to a chat under a client id."""
    return await session.scalar(
        select(Message).filter_by(workspace_id=workspace_id, chat_id=chat_id, author=author, client_id=client_id)
    )


async def next_number(session: AsyncSession, workspace_id: str, chat_id: str) -> int | None:
    """Take the next number of a chat; None: there is no such chat.

    The chat stays locked until the transaction ends: numbers are given one by one, and one that is not used
    goes back with the transaction, so no gap is left.
    """
    return await session.scalar(
        update(ChatSession)
        .where(
            ChatSession.workspace_id == workspace_id,
            ChatSession.id == chat_id,
            exists().where(_chat_of_section(), Section.deleted_at.is_(None)),
        )
        .values(last_seq=ChatSession.last_seq + 1, updated_at=utcnow())
        .returning(ChatSession.last_seq)
        .execution_options(synchronize_session=False)
    )


def _chat_of_section() -> Any:
    return and_(Section.workspace_id == ChatSession.workspace_id, Section.id == ChatSession.section_id)


def _edge(row: Row[Any], cursor: str) -> Edge[Message]:
    return Edge(row.Message, cursor)
