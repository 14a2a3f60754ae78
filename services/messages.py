"""Messages: the entries of a chat, numbered 1, 2, 3 ... without gaps."""

from db import chats, ids
from db.connection.retry import RetrySchedule
from db.inserts import insert_if_absent
from db.models import Message, MessageRole
from db.store import Store, Transaction, Undo
from services import inputs
from services.commands import command
from services.outcomes import (
    ChatSessionNotFound,
    ClientIdConflict,
    Forbidden,
    InvalidInput,
    TemporarilyUnavailable,
)
from services.principals import Principal

PostedMessage = Message | ChatSessionNotFound | InvalidInput | ClientIdConflict | Forbidden | TemporarilyUnavailable


@command
async def post_message(
    store: Store, principal: Principal, chat_id: str, content: str, client_id: str | None
) -> PostedMessage:
    """Add a message to a chat and number it; the same client id again returns the message it has made.

    `content` is Markdown, kept as it is. The number is given inside the transaction that adds the message, so
    an acknowledged message has one, and a failed one leaves no gap.
    """
    if await store.load.chats.load(chat_id) is None:
        return ChatSessionNotFound(chat_id)
    if not principal.may_comment:
        return Forbidden(chat_id)
    if invalid := inputs.non_blank_text("content", content, inputs.MESSAGE_LENGTH) or inputs.client_id(client_id):
        return invalid
    message = Message(
        workspace_id=store.workspace_id,
        id=ids.new(ids.MESSAGE),
        chat_id=chat_id,
        role=MessageRole.USER,
        author=principal.user_id,
        content=content,
        client_id=client_id,
    )

    async def add(transaction: Transaction) -> Message | ChatSessionNotFound | None:
        seq = await chats.next_number(transaction, store.workspace_id, chat_id)
        if seq is None:
            return ChatSessionNotFound(chat_id)
        message.seq = seq
        added = await insert_if_absent(transaction, message, "workspace_id", "chat_id", "author", "client_id")
        if added is None:
            raise Undo(None)  # the number goes back
        return added

    # Nothing is added where the client id is in use; then its message has been committed, and can be read, unless the
    # chat was purged since, with all that was in it: the next attempt finds out.
    async for _ in RetrySchedule(eager=True):
        if earlier := await _earlier(store, message):
            return earlier
        if added := await store.transact(add):
            return added
    return TemporarilyUnavailable()


async def _earlier(store: Store, message: Message) -> Message | ClientIdConflict | None:
    if message.client_id is None:
        return None
    earlier = await store.message_of_client(message.chat_id, message.author, message.client_id)
    if earlier is None or earlier.content == message.content:
        return earlier
    return ClientIdConflict(message.chat_id, message.client_id, earlier.id)
