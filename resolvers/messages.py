"""Messages: reading and posting them."""

from db.messages import BY_NUMBER
from db.models import ChatSession, Message
from db.reading.loaders import AwaitableOrValue
from db.reading.paging import Connection, Edge
from resolvers.arguments import After, Before, ChatId, ClientId, FirstMessages, LastMessages, MessageContent
from resolvers.context import Info
from services import chats, messages
from services.messages import PostMessageResult, PostMessageSuccess
from services.paging import page


async def messages_of(
    root: ChatSession,
    info: Info,
    first: FirstMessages = None,
    after: After = None,
    last: LastMessages = None,
    before: Before = None,
) -> Connection[Message]:
    return await messages.of_chat(info.context.store, root, page(BY_NUMBER, first, after, last, before, newest=True))


def chat(root: Message, info: Info) -> AwaitableOrValue[ChatSession | None]:
    return chats.chat(info.context.store, root.chat_id)


async def post_message(
    info: Info, chat_id: ChatId, content: MessageContent, client_id: ClientId = None
) -> PostMessageResult:
    return await messages.post_message(info.context.store, chat_id, content, client_id)


def posted_edge(root: PostMessageSuccess, info: Info) -> Edge[Message]:
    return messages.edge(root.posted_message)


def posted_chat(root: PostMessageSuccess, info: Info) -> AwaitableOrValue[ChatSession | None]:
    return chats.chat(info.context.store, root.posted_message.chat_id)
