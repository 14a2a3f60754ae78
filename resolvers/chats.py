"""Chat sessions and their messages: finding, ensuring, reading, posting and following."""

from collections.abc import AsyncIterator

from db.chats import BY_NUMBER
from db.models import ChatSession, Document, Message, Section
from db.reading.loaders import AwaitableOrValue
from db.reading.paging import Connection
from resolvers.arguments import (
    After,
    Before,
    ChatId,
    ClientId,
    DocId,
    FirstMessages,
    LastMessages,
    MessageContent,
    SectionId,
    SectionIds,
)
from resolvers.context import Info
from services import chats, documents, sections
from services import messages as posts
from services.chats import ChatsOfDocument, EnsuredChat, EnsuredChats, EnsuredDocument
from services.messages import PostedMessage
from services.paging import page


async def ensure_section_chat(info: Info, doc_id: DocId, section_id: SectionId) -> EnsuredChat:
    return await chats.ensure_section_chat(info.context.store, info.context.principal, doc_id, section_id)


async def ensure_section_chats(info: Info, doc_id: DocId, section_ids: SectionIds) -> EnsuredChats:
    return await chats.ensure_section_chats(info.context.store, info.context.principal, doc_id, section_ids)


async def ensure_document_chats(info: Info, doc_id: DocId) -> EnsuredDocument:
    return await chats.ensure_document_chats(info.context.store, info.context.principal, doc_id)


def ensured_document(root: ChatsOfDocument, info: Info) -> AwaitableOrValue[Document | None]:
    return documents.document(info.context.store, root.document_id)


def chat_session(info: Info, id: ChatId) -> AwaitableOrValue[ChatSession | None]:
    return chats.chat(info.context.store, id)


def section(root: ChatSession, info: Info) -> AwaitableOrValue[Section | None]:
    return sections.section(info.context.store, root.section_id)


def document(root: ChatSession, info: Info) -> AwaitableOrValue[Document | None]:
    return None if root.document_id is None else documents.document(info.context.store, root.document_id)


async def messages(
    root: ChatSession,
    info: Info,
    first: FirstMessages = None,
    after: After = None,
    last: LastMessages = None,
    before: Before = None,
) -> Connection[Message]:
    return await chats.messages(info.context.store, root, page(BY_NUMBER, first, after, last, before))


def message_chat(root: Message, info: Info) -> AwaitableOrValue[ChatSession | None]:
    return chats.chat(info.context.store, root.chat_id)


async def post_message(
    info: Info, chat_id: ChatId, content: MessageContent, client_id: ClientId = None
) -> PostedMessage:
    return await posts.post_message(info.context.store, info.context.principal, chat_id, content, client_id)


async def section_chat_opened(info: Info, doc_id: DocId) -> AsyncIterator[ChatSession]:
    return await chats.opened_chats(info.context.store, info.context.chat_feed, doc_id)


async def opened_chat(root: ChatSession, info: Info, doc_id: DocId) -> ChatSession | None:
    return await chats.opened_chat(info.context.store, doc_id, root)
