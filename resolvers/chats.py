"""Chat sessions: reading, ensuring and subscribing to them."""

from collections.abc import AsyncIterator

from db.models import ChatSession, Document, Section
from db.reading.loaders import AwaitableOrValue
from resolvers.arguments import ChatId, DocId, SectionId, SectionIds
from resolvers.context import Info
from services import chats, documents, sections
from services.chats import (
    EnsureDocumentChatsResult,
    EnsureDocumentChatsSuccess,
    EnsureSectionChatResult,
    EnsureSectionChatsResult,
    SectionChatOpened,
)


async def ensure_section_chat(info: Info, doc_id: DocId, section_id: SectionId) -> EnsureSectionChatResult:
    return await chats.ensure_section_chat(info.context.store, doc_id, section_id)


async def ensure_section_chats(info: Info, doc_id: DocId, section_ids: SectionIds) -> EnsureSectionChatsResult:
    return await chats.ensure_section_chats(info.context.store, doc_id, section_ids)


async def ensure_document_chats(info: Info, doc_id: DocId) -> EnsureDocumentChatsResult:
    return await chats.ensure_document_chats(info.context.store, doc_id)


def ensured_document(root: EnsureDocumentChatsSuccess, info: Info) -> AwaitableOrValue[Document | None]:
    return documents.document(info.context.store, root.document_id)


def chat_session(info: Info, id: ChatId) -> AwaitableOrValue[ChatSession | None]:
    return chats.chat(info.context.store, id)


def section(root: ChatSession, info: Info) -> AwaitableOrValue[Section | None]:
    return sections.section(info.context.store, root.section_id)


def document(root: ChatSession, info: Info) -> AwaitableOrValue[Document | None]:
    return None if root.document_id is None else documents.document(info.context.store, root.document_id)


async def section_chat_opened(info: Info, doc_id: DocId) -> AsyncIterator[ChatSession]:
    return await chats.opened_chats(info.context.store, info.context.chat_feed, doc_id)


async def opened_chat(root: ChatSession, info: Info, doc_id: DocId) -> SectionChatOpened | None:
    return await chats.opened_chat(info.context.store, doc_id, root)
