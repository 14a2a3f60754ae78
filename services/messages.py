"""Messages: the entries of a chat, numbered 1, 2, 3 ... without gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from db import ids, messages
from db.connection.retry import RetrySchedule
from db.inserts import insert_if_absent
from db.models import ChatSession, Message, MessageRole, UserKind
from db.reading.loader import Loaded
from db.reading.paging import Connection, Edge, Page, counted
from db.store import Store, Transaction
from services import access, limits, storage, validation
from services.access import Action
from services.commands import command
from services.outcomes import (
    ChatSessionNotFound,
    ClientIdConflict,
    Forbidden,
    InvalidInput,
    Outcome,
    StorageLimitExceeded,
    TemporarilyUnavailable,
)


@dataclass(frozen=True)
class PostMessageSuccess:
    """The message, posted by this call or by an earlier call with the same client id."""

    posted_message: Message


PostMessageResult = (
    PostMessageSuccess
    | ChatSessionNotFound
    | InvalidInput
    | ClientIdConflict
    | Forbidden
    | StorageLimitExceeded
    | TemporarilyUnavailable
)


class _AlreadyPosted(Outcome):
    """The client id is in use; the rollback returns the message number."""


@command
async def post_message(store: Store, chat_id: str, content: str, client_id: str | None) -> PostMessageResult:
    """Post a message to a chat and number it; a retry with the same client id returns the posted message.

    `content` is Markdown, stored unchanged. The transaction that inserts the message also assigns its number, so an
    acknowledged message has a number, and a failed one leaves no gap.
    """
    if refused := await access.on_chat(store, Action.POST_MESSAGE, chat_id):
        return refused
    if invalid := validation.invalid(
        validation.non_blank_text("content", content, limits.MESSAGE_LENGTH), validation.client_id(client_id)
    ):
        return invalid
    if full := storage.refusal(store):
        return full
    message = Message(
        workspace_id=store.workspace_id,
        id=ids.new(ids.MESSAGE),
        chat_id=chat_id,
        role=MessageRole.ASSISTANT if store.principal.kind is UserKind.ASSISTANT else MessageRole.USER,
        author=store.principal.user_id,
        content=content,
        client_id=client_id,
    )

    async def add(transaction: Transaction) -> PostMessageSuccess | ChatSessionNotFound | _AlreadyPosted:
        seq = await messages.next_number(transaction, chat_id)
        if seq is None:
            return ChatSessionNotFound(chat_id)
        message.seq = seq
        added = await insert_if_absent(transaction.session, message, "workspace_id", "chat_id", "author", "client_id")
        return _AlreadyPosted() if added is None else PostMessageSuccess(added)

    # If the client id is in use, nothing is inserted. Its message was then committed and can be read, unless the chat
    # was purged since, which the next attempt finds out.
    async for _ in RetrySchedule(eager=True):
        if earlier := await _earlier(store, message):
            return earlier
        posted = await store.transact(add)
        if not isinstance(posted, _AlreadyPosted):
            return posted
    return TemporarilyUnavailable()


async def of_chats(store: Store, chats: Sequence[ChatSession], page: Page) -> Sequence[Loaded[Connection[Message]]]:
    """Return, for each chat, a page of its messages, ordered by number."""
    pages = await store.load.pages_of_messages.load_many([(chat.id, page) for chat in chats])
    return [counted(found, partial(getattr, chat, "message_count")) for chat, found in zip(chats, pages, strict=True)]


def edge(message: Message) -> Edge[Message]:
    """Return the edge of a message in the connection of its chat."""
    return Edge(message, messages.BY_NUMBER, (message.seq,))


async def _earlier(store: Store, message: Message) -> PostMessageSuccess | ClientIdConflict | None:
    if message.client_id is None:
        return None
    earlier = await store.message_of_client(message.chat_id, message.author, message.client_id)
    if earlier is None:
        return None
    if earlier.content == message.content:
        return PostMessageSuccess(earlier)
    return ClientIdConflict(message.chat_id, message.client_id, earlier.id)
