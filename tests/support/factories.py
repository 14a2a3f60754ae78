"""Factories: real rows with sensible defaults, for states that the API does not make."""

from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from db import chats, ids, messages
from db.connection.database import Database
from db.locks import Transaction
from db.models import Base, ChatSession, Document, Message, MessageRole, Placement, Section, Workspace
from db.placements import Arrangement
from db.revisions import Change

R = TypeVar("R", bound=Base)


async def add(database: Database, row: R) -> R:
    """Store a row."""
    async with database.begin() as session:
        session.add(row)
        await session.flush()
        await session.refresh(row)
    return row


async def workspace(database: Database, workspace_id: str) -> Workspace:
    return await add(database, Workspace(workspace_id=workspace_id))


async def document(database: Database, **values: Any) -> Document:
    return await add(
        database,
        Document(
            **{
                "workspace_id": "local",
                "id": ids.new(ids.DOCUMENT),
                "title": "A document",
                "created_by": "somebody",
                **values,
            }
        ),
    )


async def section(database: Database, document: Document | None = None, **values: Any) -> Section:
    """Store a section, placed in a document if one is given."""
    row = await add(
        database,
        Section(
            **{
                "workspace_id": document.workspace_id if document else "local",
                "id": ids.new(ids.SECTION),
                "title": "A section",
                "created_by": "somebody",
                **values,
            }
        ),
    )
    if document is not None:
        await place(database, document, row)
    return row


async def place(database: Database, document: Document, section: Section, position: str = "a0") -> Placement:
    return await add(
        database,
        Placement(
            workspace_id=document.workspace_id, document_id=document.id, section_id=section.id, position=position
        ),
    )


async def arrangement(session: AsyncSession, document: Document) -> Arrangement:
    """Lock a document to arrange it, as the server does."""
    locked = await Arrangement.lock(Transaction(session, document.workspace_id), document.id, Change("somebody"))
    assert locked is not None
    return locked


async def chat(database: Database, section: Section, **values: Any) -> ChatSession:
    """Store a chat of a section, without pointing the section to it."""
    return await add(
        database,
        ChatSession(
            **{
                "workspace_id": section.workspace_id,
                "id": ids.new(ids.CHAT),
                "section_id": section.id,
                "created_by": "somebody",
                **values,
            }
        ),
    )


async def open_chat(session: AsyncSession, document: Document, section: Section) -> str:
    """Open the chat of a section in a transaction, as the server does, and return its id."""
    chat_id = ids.new(ids.CHAT)
    written = await chats.write_chats(
        Transaction(session, document.workspace_id),
        document.id,
        chat_ids={section.id: chat_id},
        wrong=(),
        created_by="somebody",
    )
    assert [chat.id for chat in written.created] == [chat_id]
    return chat_id


async def post(session: AsyncSession, chat_id: str, content: str) -> int:
    """Post to a chat in a transaction, as the server does, and return the number of the message."""
    number = await messages.next_number(Transaction(session, "local"), chat_id)
    assert number is not None
    session.add(
        Message(
            workspace_id="local",
            id=ids.new(ids.MESSAGE),
            chat_id=chat_id,
            seq=number,
            role=MessageRole.USER,
            author="ann",
            content=content,
        )
    )
    await session.flush()
    return number
