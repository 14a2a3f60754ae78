"""Chat sessions: the one conversation anchored to each section."""

from collections.abc import AsyncIterator

from db import anchors, ids
from db.anchors import AnchorKey
from db.loaders import Soon
from db.models import ChatSession, Ensured, Message
from db.openings import Openings
from db.paging import Connection, Page
from db.retries import ATTEMPTS, pause
from db.store import Store
from services.commands import command
from services.outcomes import (
    BadArgument,
    DocumentNotFound,
    Forbidden,
    SectionNotFound,
    SectionNotInDocument,
    TemporarilyUnavailable,
)
from services.principals import Principal

EnsuredChat = (
    ChatSession | DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden | TemporarilyUnavailable
)


@command
async def ensure_section_chat(store: Store, principal: Principal, document_id: str, section_id: str) -> EnsuredChat:
    """Return the chat anchored to a section of a document, opening it on first use.

    The rules are those of DESIGN.md, in their order; the first that applies gives the answer. Whoever loses a
    race against another call looks again and finds what that call did. Safe to repeat at any moment.
    """
    for attempt in range(ATTEMPTS):
        if attempt > 1:  # who lost once finds the winner's chat at once
            await pause(attempt)
        anchor = await store.anchor(document_id, section_id)
        if anchor.document is None:
            return DocumentNotFound(document_id)
        if anchor.section is None:
            return SectionNotFound(section_id)
        if anchor.placement is None:
            return SectionNotInDocument(document_id, section_id)
        if anchor.chat is not None:
            if anchor.section.chat_session_id == anchor.chat.id:
                return anchor.chat.ensured_as(Ensured.FOUND)
            if await _repair(store, anchor.chat):
                return anchor.chat.ensured_as(Ensured.REPAIRED)
        elif not principal.may_comment:
            return Forbidden(section_id)
        elif opened := await _open(store, principal, document_id, section_id):
            return opened.ensured_as(Ensured.CREATED)
    return TemporarilyUnavailable()


def chat(store: Store, chat_id: str) -> Soon[ChatSession | None]:
    """Return a chat by its id."""
    return store.load.chats.get(chat_id)


def chat_of_section(store: Store, section_id: str) -> Soon[ChatSession | None]:
    """Return the chat of a section, if it has been opened."""
    return store.load.chats_by_section.get(section_id)


async def messages(store: Store, chat: ChatSession, page: Page) -> Connection[Message]:
    """Return a page of the messages of a chat, by number."""
    return await store.load.pages_of_messages.load((chat.id, page))


async def opened_chats(store: Store, openings: Openings, document_id: str) -> AsyncIterator[ChatSession]:
    """Return the chats of the sections of a document as they are opened from now on, by whichever process.

    While the document is in the trash there are none to tell. The iterator is closed with `aclose`.
    """
    if await store.load.documents.load(document_id) is None:
        raise BadArgument(DocumentNotFound.message, DocumentNotFound.code)
    return await openings.of(store.workspace_id, document_id)


async def opened_chat(store: Store, document_id: str, chat: ChatSession) -> ChatSession | None:
    """Return a chat that a follower of a document was told of, as it may be seen by now; None: not at all.

    Who follows may have been moved to another workspace meanwhile, and the document or the section to the trash.
    """
    if chat.workspace_id != store.workspace_id:
        return None
    # With it comes what is asked of such a chat, in a statement that all share to whom it is shown at this moment.
    anchor = await store.anchor(document_id, chat.section_id)
    return None if anchor.document is None else anchor.chat


async def _repair(store: Store, chat: ChatSession) -> bool:
    return await store.transact(lambda transaction: anchors.point_to_chat(transaction, chat))


async def _open(store: Store, principal: Principal, document_id: str, section_id: str) -> ChatSession | None:
    key = AnchorKey(store.workspace_id, document_id, section_id)
    chat_id = ids.new(ids.CHAT)
    return await store.transact(lambda transaction: anchors.open_chat(transaction, key, chat_id, principal.user_id))
