"""Messages: reading them, and numbering a new one."""

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.locks import Transaction
from db.models import ChatSession, Message
from db.reading import visibility
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.reading.rows import Selection
from db.reading.visibility import Viewer
from db.times import utcnow

BY_NUMBER = Order("messages", (Message.seq,))


def _of_chats(_dialect: str, _selected: Selection | None, viewer: Viewer) -> Origin:
    # Who may read a chat may read its messages, and the chats were read already.
    return Origin(select(Message).where(Message.workspace_id == viewer.workspace), {Message: Message})


MESSAGES = Listing(BY_NUMBER, [Message], _of_chats, lambda message, key: Edge(message, BY_NUMBER, key), Message.chat_id)
"""The messages of a chat, ordered by number."""


async def message_of_client(
    session: AsyncSession, workspace_id: str, chat_id: str, author: str, client_id: str
) -> Message | None:
    """Read the message that an author posted to a chat under a client id."""
    return await session.scalar(
        select(Message).filter_by(workspace_id=workspace_id, chat_id=chat_id, author=author, client_id=client_id)
    )


async def next_number(transaction: Transaction, chat_id: str) -> int | None:
    """Take the next message number of a chat. None: the chat does not exist or its section is trashed.

    The chat stays locked until the transaction ends, so numbers are assigned one at a time. A rollback returns an
    unused number, so no gap is left.
    """
    transaction.reach(ChatSession)
    return await transaction.session.scalar(
        update(ChatSession)
        .where(
            ChatSession.workspace_id == transaction.workspace_id,
            ChatSession.id == chat_id,
            exists().where(visibility.chat_of_section(), visibility.live_section(transaction.workspace_id)),
        )
        .values(last_seq=ChatSession.last_seq + 1, updated_at=utcnow())
        .returning(ChatSession.last_seq)
        .execution_options(synchronize_session=False)
    )
