"""Chat sessions: reading, ensuring and subscribing to them."""

from collections.abc import AsyncIterator, Sequence

from db.models import ChatSession, Document, Section
from db.reading.loader import AwaitableOrValue, Loaded
from resolvers.arguments import ChatId, DocId, SectionId, SectionIds
from resolvers.context import Info, Parents
from services import chats, documents, sections, users
from services.chats import (
    EnsureDocumentChatsResult,
    EnsureDocumentChatsSuccess,
    EnsureSectionChatResult,
    EnsureSectionChatsResult,
    SectionChatOpened,
)
from services.users import User


async def ensure_section_chat(info: Info, doc_id: DocId, section_id: SectionId) -> EnsureSectionChatResult:
    return await chats.ensure_section_chat(info.context.store, doc_id, section_id)


async def ensure_section_chats(info: Info, doc_id: DocId, section_ids: SectionIds) -> EnsureSectionChatsResult:
    return await chats.ensure_section_chats(info.context.store, doc_id, section_ids)


async def ensure_document_chats(info: Info, doc_id: DocId) -> EnsureDocumentChatsResult:
    return await chats.ensure_document_chats(info.context.store, doc_id)


def ensured_documents(
    info: Info, ensured: Parents[EnsureDocumentChatsSuccess]
) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_ids(info.context.store, [each.document_id for each in ensured])


def chat_session(info: Info, id: ChatId) -> AwaitableOrValue[ChatSession | None]:
    return chats.chat(info.context.store, id)


def sections_of_chats(info: Info, sessions: Parents[ChatSession]) -> AwaitableOrValue[Sequence[Loaded[Section | None]]]:
    return sections.of_ids(info.context.store, [chat.section_id for chat in sessions])


def documents_of_chats(
    info: Info, sessions: Parents[ChatSession]
) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_chats(info.context.store, sessions)


async def section_chat_opened(info: Info, doc_id: DocId) -> AsyncIterator[ChatSession]:
    info.context.followed.append(doc_id)
    return await chats.opened_chats(info.context.store, info.context.chat_feed, doc_id)


async def opened_chat(root: ChatSession, info: Info, doc_id: DocId) -> SectionChatOpened | None:
    return await chats.opened_chat(info.context.store, doc_id, root)


def openers(info: Info, events: Parents[SectionChatOpened]) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    return users.of_ids(info.context.store, [event.chat.created_by for event in events])
