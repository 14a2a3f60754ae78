"""Chat sessions: the one conversation anchored to each section."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from db import anchors, ids
from db.anchors import Anchor, ChatWrites
from db.chat_feed import ChatFeed
from db.connection.retry import RetrySchedule
from db.models import ChatSession, Ensured, Message
from db.reading.loaders import AwaitableOrValue
from db.reading.paging import Connection, Page
from db.store import Store
from services import inputs
from services.commands import command, long_command
from services.outcomes import (
    BadArgument,
    DocumentNotFound,
    Forbidden,
    InvalidInput,
    SectionNotFound,
    SectionNotInDocument,
    TemporarilyUnavailable,
)
from services.principals import Principal

RefusedChat = DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden
EnsuredChat = (
    ChatSession | DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden | TemporarilyUnavailable
)


@dataclass(frozen=True)
class ChatsOfSections:
    """What became of the ensures of many sections, in the order in which they were asked for."""

    results: Sequence[EnsuredChat | Exception]
    """An exception is a fault of ours with that section; the others have what they asked for."""


@dataclass(frozen=True)
class ChatsOfDocument:
    """What became of an ensure of all sections of a document."""

    document_id: str
    created_count: int
    found_count: int
    repaired_count: int
    refused_count: int
    """Those that have no chat, which the principal may not open."""


EnsuredChats = ChatsOfSections | DocumentNotFound | InvalidInput | TemporarilyUnavailable
EnsuredDocument = ChatsOfDocument | DocumentNotFound | TemporarilyUnavailable


@command
async def ensure_section_chat(store: Store, principal: Principal, document_id: str, section_id: str) -> EnsuredChat:
    """Return the chat anchored to a section of a document, opening it on first use.

    The rules are those of DESIGN.md, in their order; the first that applies gives the answer. Whoever loses a
    race against another call looks again and finds what that call did. Safe to repeat at any moment.
    """
    async for _ in RetrySchedule(eager=True):
        anchor = await store.anchor(document_id, section_id)
        if refused := _refused(anchor, principal, document_id, section_id):
            return refused
        if anchor.chat is None:
            settled = await _settle(store, principal, document_id, missing=[section_id])
            if settled.opened:
                return settled.opened[0].ensured_as(Ensured.CREATED)
        elif _is_wrong(anchor):
            settled = await _settle(store, principal, document_id, wrong=[section_id])
            if settled.pointed:
                return anchor.chat.ensured_as(Ensured.REPAIRED)
        else:
            return anchor.chat.ensured_as(Ensured.FOUND)
    return TemporarilyUnavailable()


@command
async def ensure_section_chats(
    store: Store, principal: Principal, document_id: str, section_ids: Sequence[str]
) -> EnsuredChats:
    """Return the chats of many sections of a document, in the order of the ids, as `ensure_section_chat` does of one.

    One transaction opens and repairs what is to be; at most four statements, however many sections there are.
    """
    if len(section_ids) > inputs.ENSURED_SECTIONS:
        return InvalidInput("sectionIds", f"has more than {inputs.ENSURED_SECTIONS} ids")
    if not section_ids:
        there = await store.load.documents.load(document_id)
        return DocumentNotFound(document_id) if there is None else ChatsOfSections([])
    done: dict[str, ChatSession] = {}
    async for _ in RetrySchedule(eager=True):
        read = await store.anchors(document_id, section_ids)
        found = {key: anchor for key, anchor in read.items() if isinstance(anchor, Anchor)}
        faults = {key: fault for key, fault in read.items() if isinstance(fault, Exception)}
        if not done and any(anchor.document is None for anchor in found.values()):
            return DocumentNotFound(document_id)
        refused = {key: _refused(anchor, principal, document_id, key) for key, anchor in found.items()}
        open_to_us = {key: anchor for key, anchor in found.items() if not refused[key]}
        missing = [key for key, anchor in open_to_us.items() if anchor.chat is None]
        wrong = [key for key, anchor in open_to_us.items() if _is_wrong(anchor)]
        if not missing and not wrong:
            # What was done is told, even if its section was taken out since: a "no" means that nothing was changed.
            told = {key: refused[key] or _found(anchor.chat) for key, anchor in found.items()}
            return ChatsOfSections(
                [done.pop(key) if key in done else faults.get(key) or told[key] for key in section_ids]
            )
        settled = await _settle(store, principal, document_id, missing, wrong)
        done |= {chat.section_id: chat.ensured_as(Ensured.CREATED) for chat in settled.opened}
        for key in settled.pointed:
            if (chat := found[key].chat) is not None:
                done[key] = chat.ensured_as(Ensured.REPAIRED)
    return TemporarilyUnavailable()


@long_command
async def ensure_document_chats(store: Store, principal: Principal, document_id: str) -> EnsuredDocument:
    """See to it that every section of a document has its chat, and return how many were opened, found, repaired.

    One transaction and at most four statements, as for `ensure_section_chats`.
    """
    opened, repaired = set[str](), set[str]()
    found = 0
    async for _ in RetrySchedule(eager=True):
        standing = await store.standing(document_id)
        if standing is None:
            if not opened and not repaired:
                return DocumentNotFound(document_id)
            # What was done is told, even if the document was taken away since.
            return ChatsOfDocument(document_id, len(opened), found, len(repaired), 0)
        without = [each.section_id for each in standing if each.chat_id is None]
        wrong = [each.section_id for each in standing if each.chat_id is not None and each.pointer != each.chat_id]
        missing = without if principal.may_comment else []
        found = len({each.section_id for each in standing} - {*without, *wrong, *opened, *repaired})
        if not missing and not wrong:
            return ChatsOfDocument(document_id, len(opened), found, len(repaired), len(without))
        settled = await _settle(store, principal, document_id, missing, wrong)
        opened |= {chat.section_id for chat in settled.opened}
        repaired |= settled.pointed
    return TemporarilyUnavailable()


def chat(store: Store, chat_id: str) -> AwaitableOrValue[ChatSession | None]:
    """Return a chat by its id."""
    return store.load.chats.get(chat_id)


def chat_of_section(store: Store, section_id: str) -> AwaitableOrValue[ChatSession | None]:
    """Return the chat of a section, if it has been opened."""
    return store.load.chats_by_section.get(section_id)


async def messages(store: Store, chat: ChatSession, page: Page) -> Connection[Message]:
    """Return a page of the messages of a chat, by number."""
    return await store.load.pages_of_messages.load((chat.id, page))


async def opened_chats(store: Store, openings: ChatFeed, document_id: str) -> AsyncIterator[ChatSession]:
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


def _refused(anchor: Anchor, principal: Principal, document_id: str, section_id: str) -> RefusedChat | None:
    if anchor.document is None:
        return DocumentNotFound(document_id)
    if anchor.section is None:
        return SectionNotFound(section_id)
    if anchor.placement is None:
        return SectionNotInDocument(document_id, section_id)
    if anchor.chat is None and not principal.may_comment:
        return Forbidden(section_id)
    return None


def _is_wrong(anchor: Anchor) -> bool:
    chat, section = anchor.chat, anchor.section
    return chat is not None and section is not None and section.chat_session_id != chat.id


def _found(chat: ChatSession | None) -> ChatSession | TemporarilyUnavailable:
    return chat.ensured_as(Ensured.FOUND) if chat else TemporarilyUnavailable()


async def _settle(
    store: Store, principal: Principal, document_id: str, missing: Sequence[str] = (), wrong: Sequence[str] = ()
) -> ChatWrites:
    chat_ids = {section_id: ids.new(ids.CHAT) for section_id in missing}
    return await store.transact(
        lambda transaction: anchors.write_chats(
            transaction,
            store.workspace_id,
            document_id,
            chat_ids=chat_ids,
            wrong=wrong,
            created_by=principal.user_id,
        ),
        repeatable=True,
    )
