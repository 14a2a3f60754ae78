"""Chat sessions: the one conversation anchored to each section."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from db import ids
from db.anchors import Anchor
from db.chat_feed import ChatFeed
from db.chats import ChatWrites, write_chats
from db.connection.retry import RetrySchedule
from db.models import ChatSession, Ensured, Section
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.rows import Selection, copy_of
from db.store import Store
from services import access, limits
from services.access import Action
from services.commands import command, long_command
from services.outcomes import (
    BadArgument,
    DocumentNotFound,
    Forbidden,
    InvalidInput,
    Outcome,
    SectionNotFound,
    SectionNotInDocument,
    TemporarilyUnavailable,
)

RefusedChat = DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden
EnsureSectionChatResult = (
    ChatSession | DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden | TemporarilyUnavailable
)


@dataclass(frozen=True)
class EnsuredSectionChat:
    """The result of `ensure_section_chats` for one section: a chat or an error."""

    section_id: str
    chat: ChatSession | Exception | None = None
    """An exception is a fault with this section; the other sections have their results."""
    error: Outcome | None = None

    @property
    def ensured(self) -> Ensured | None:
        """How the ensure obtained the chat; None without a chat."""
        return self.chat.ensured if isinstance(self.chat, ChatSession) else None


@dataclass(frozen=True)
class EnsureSectionChatsSuccess:
    """The results of `ensure_section_chats`, in the order of the request."""

    results: Sequence[EnsuredSectionChat]


@dataclass(frozen=True)
class EnsureDocumentChatsSuccess:
    """The counts of `ensure_document_chats`."""

    document_id: str
    created_count: int
    found_count: int
    repaired_count: int
    refused_count: int
    """Sections without a chat because the principal may not open one."""


@dataclass(frozen=True)
class SectionChatOpened:
    """An event: the chat of a section was opened."""

    chat: ChatSession
    at: datetime


EnsureSectionChatsResult = EnsureSectionChatsSuccess | DocumentNotFound | InvalidInput | TemporarilyUnavailable
EnsureDocumentChatsResult = EnsureDocumentChatsSuccess | DocumentNotFound | TemporarilyUnavailable


@command
async def ensure_section_chat(store: Store, document_id: str, section_id: str) -> EnsureSectionChatResult:
    """Return the chat anchored to a section of a document, and open it on first use.

    The rules of DESIGN.md apply in their order; the first that matches decides. A call that loses a race reads again
    and finds the chat of the winner. Safe to retry at any time.
    """
    async for _ in RetrySchedule(eager=True):
        anchor = await store.anchor(document_id, section_id)
        if refused := _refused(anchor, document_id, section_id):
            return refused
        if anchor.chat is None:
            if not await _may_open(store, document_id):
                return Forbidden(section_id)
            written = await _write(store, document_id, missing=[section_id])
            if written.created:
                return _ensured_as(written.created[0], Ensured.CREATED)
        elif _is_wrong(anchor):
            written = await _write(store, document_id, wrong=[section_id])
            if written.repaired:
                return _ensured_as(anchor.chat, Ensured.REPAIRED)
        else:
            return _ensured_as(anchor.chat, Ensured.FOUND)
    return TemporarilyUnavailable()


@command
async def ensure_section_chats(store: Store, document_id: str, section_ids: Sequence[str]) -> EnsureSectionChatsResult:
    """Return the chats of many sections of a document, in the order of the ids, as `ensure_section_chat` does for one.

    One transaction opens and repairs all chats, with at most four statements for any number of sections.
    """
    if len(section_ids) > limits.ENSURED_SECTIONS:
        return InvalidInput.of("sectionIds", f"has more than {limits.ENSURED_SECTIONS} ids")
    if not section_ids:
        there = await store.load.documents.load(document_id)
        return DocumentNotFound(document_id) if there is None else EnsureSectionChatsSuccess([])
    done: dict[str, ChatSession] = {}
    async for _ in RetrySchedule(eager=True):
        read = await store.anchors(document_id, section_ids)
        found = {key: anchor for key, anchor in read.items() if isinstance(anchor, Anchor)}
        if not done and any(anchor.document is None for anchor in found.values()):
            return DocumentNotFound(document_id)
        refused = {key: _refused(anchor, document_id, key) for key, anchor in found.items()}
        without = [key for key, anchor in found.items() if not refused[key] and anchor.chat is None]
        if without and not await _may_open(store, document_id):
            refused |= {key: Forbidden(key) for key in without}
        open_to_us = {key: anchor for key, anchor in found.items() if not refused[key]}
        missing = [key for key, anchor in open_to_us.items() if anchor.chat is None]
        wrong = [key for key, anchor in open_to_us.items() if _is_wrong(anchor)]
        if not missing and not wrong:
            # Report every write, even if its section was removed since: an error would mean that nothing was changed.
            return EnsureSectionChatsSuccess([_ensured(key, done, refused.get(key), read[key]) for key in section_ids])
        written = await _write(store, document_id, missing, wrong)
        done |= {chat.section_id: _ensured_as(chat, Ensured.CREATED) for chat in written.created}
        for key in written.repaired:
            if (chat := found[key].chat) is not None:
                done[key] = _ensured_as(chat, Ensured.REPAIRED)
    return TemporarilyUnavailable()


@long_command
async def ensure_document_chats(store: Store, document_id: str) -> EnsureDocumentChatsResult:
    """Ensure the chat of every section of a document, and count the chats that were opened, found and repaired.

    Uses one transaction and at most four statements, like `ensure_section_chats`.
    """
    opened, repaired = set[str](), set[str]()
    found = 0
    async for _ in RetrySchedule(eager=True):
        standing = await store.standing(document_id)
        if standing is None:
            if not opened and not repaired:
                return DocumentNotFound(document_id)
            # Report every write, even if the document was trashed since.
            return EnsureDocumentChatsSuccess(document_id, len(opened), found, len(repaired), 0)
        without = [each.section_id for each in standing if each.chat_id is None]
        wrong = [each.section_id for each in standing if each.chat_id is not None and each.pointer != each.chat_id]
        missing = without if without and await _may_open(store, document_id) else []
        found = len({each.section_id for each in standing} - {*without, *wrong, *opened, *repaired})
        if not missing and not wrong:
            return EnsureDocumentChatsSuccess(document_id, len(opened), found, len(repaired), len(without))
        written = await _write(store, document_id, missing, wrong)
        opened |= {chat.section_id for chat in written.created}
        repaired |= written.repaired
    return TemporarilyUnavailable()


def chat(store: Store, chat_id: str) -> AwaitableOrValue[ChatSession | None]:
    """Return the chat with this id, if the principal may see it."""
    return store.load.chats.get(chat_id)


def of_ids(store: Store, chat_ids: Sequence[str]) -> AwaitableOrValue[Sequence[Loaded[ChatSession | None]]]:
    """Return chats by their ids."""
    return store.load.chats.many(chat_ids)


def of_sections(store: Store, sections: Sequence[Section]) -> AwaitableOrValue[Sequence[Loaded[ChatSession | None]]]:
    """Return the chats of sections."""
    return store.load.chats_by_section.many([section.id for section in sections])


async def opened_chats(store: Store, openings: ChatFeed, document_id: str) -> AsyncIterator[ChatSession]:
    """Return the chats that any process opens for the sections of a document from now on.

    While the document is in the trash, the iterator delivers none. Close it with `aclose`. Raises `BadArgument` if the
    document does not exist.
    """
    if await store.load.documents.load(document_id) is None:
        raise BadArgument(DocumentNotFound.message, DocumentNotFound.code)
    return await openings.of(store.workspace_id, document_id)


_TOLD: Selection = {ChatSession: frozenset({"created_by", "created_at"})}
"""The columns of a chat that its event shows."""


async def opened_chat(store: Store, document_id: str, chat: ChatSession) -> SectionChatOpened | None:
    """Return the event for a chat delivered to a subscriber of a document, or None if the subscriber may not see it.

    Meanwhile the subscriber may have been moved to another workspace, and the document or section to the trash.
    """
    if chat.workspace_id != store.workspace_id:
        return None
    # One coalesced statement serves all subscribers of the event, and also loads what they select of the chat.
    anchor = await store.anchor(document_id, chat.section_id, also=_TOLD)
    if anchor.document is None or anchor.chat is None:
        return None
    return SectionChatOpened(anchor.chat, anchor.chat.created_at)


def _refused(anchor: Anchor, document_id: str, section_id: str) -> RefusedChat | None:
    if anchor.document is None:
        return DocumentNotFound(document_id)
    if anchor.section is None:
        return SectionNotFound(section_id)
    return SectionNotInDocument(document_id, section_id) if anchor.placement is None else None


async def _may_open(store: Store, document_id: str) -> bool:
    return await access.on_document(store, Action.OPEN_CHAT, document_id, is_known=True) is None


def _is_wrong(anchor: Anchor) -> bool:
    chat, section = anchor.chat, anchor.section
    return chat is not None and section is not None and section.chat_session_id != chat.id


def _ensured_as(chat: ChatSession, how: Ensured) -> ChatSession:
    """Return a copy marked with what an ensure did. The row itself stays unmarked, because loaders share it."""
    marked = copy_of(chat)
    marked.ensured = how
    return marked


def _ensured(
    section_id: str, done: dict[str, ChatSession], refused: RefusedChat | None, anchor: Anchor | Exception
) -> EnsuredSectionChat:
    # Of a repeated id, the first entry reports the write, and the second reports FOUND.
    if chat := done.pop(section_id, None):
        return EnsuredSectionChat(section_id, chat)
    if isinstance(anchor, Exception):
        return EnsuredSectionChat(section_id, anchor)
    if refused is not None or anchor.chat is None:
        return EnsuredSectionChat(section_id, error=refused or TemporarilyUnavailable())
    return EnsuredSectionChat(section_id, _ensured_as(anchor.chat, Ensured.FOUND))


async def _write(store: Store, document_id: str, missing: Sequence[str] = (), wrong: Sequence[str] = ()) -> ChatWrites:
    chat_ids = {section_id: ids.new(ids.CHAT) for section_id in missing}
    return await store.transact(
        lambda transaction: write_chats(
            transaction,
            document_id,
            chat_ids=chat_ids,
            wrong=wrong,
            created_by=store.principal.user_id,
        ),
        repeatable=True,
    )
