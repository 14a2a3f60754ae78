"""Messages: reading and posting them."""

from collections.abc import Sequence

from db.messages import BY_NUMBER
from db.models import ChatSession, Message
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.paging import Connection, Edge
from resolvers.arguments import After, Before, ChatId, ClientId, FirstMessages, LastMessages, MessageContent
from resolvers.context import Info, Parents
from services import chats, messages
from services.messages import PostMessageResult, PostMessageSuccess
from services.paging import page


async def messages_of_chats(
    info: Info,
    sessions: Parents[ChatSession],
    first: FirstMessages = None,
    after: After = None,
    last: LastMessages = None,
    before: Before = None,
) -> Sequence[Loaded[Connection[Message]]]:
    return await messages.of_chats(
        info.context.store, sessions, page(BY_NUMBER, first, after, last, before, newest=True)
    )


def chats_of_messages(info: Info, posts: Parents[Message]) -> AwaitableOrValue[Sequence[Loaded[ChatSession | None]]]:
    return chats.of_ids(info.context.store, [message.chat_id for message in posts])


async def post_message(
    info: Info, chat_id: ChatId, content: MessageContent, client_id: ClientId = None
) -> PostMessageResult:
    return await messages.post_message(info.context.store, chat_id, content, client_id)


def posted_edges(info: Info, posted: Parents[PostMessageSuccess]) -> Sequence[Edge[Message]]:
    return [messages.edge(each.posted_message) for each in posted]


def posted_chats(
    info: Info, posted: Parents[PostMessageSuccess]
) -> AwaitableOrValue[Sequence[Loaded[ChatSession | None]]]:
    return chats.of_ids(info.context.store, [each.posted_message.chat_id for each in posted])
