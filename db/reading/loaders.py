"""Loaders: the reads of one operation, batched, and cached until it ends."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db import documents, grants, messages, revisions, roles, share_links
from db.anchors import Anchor
from db.connection.database import Database
from db.documents import SectionText
from db.models import (
    ApiKey,
    AuditEntry,
    Base,
    ChatSession,
    Document,
    DocumentRevision,
    Grant,
    Message,
    Placement,
    Section,
    SectionRevision,
    ShareLink,
    User,
)
from db.principals import Principal
from db.reading import visibility
from db.reading.bisection import read_each
from db.reading.listings import Listing
from db.reading.loader import Loaded, Loader
from db.reading.lookups import Lookup
from db.reading.paging import Connection, Page
from db.reading.rows import Selection
from db.reading.visibility import Viewer
from db.roles import Standing

T = TypeVar("T")
B = TypeVar("B", bound=Base)
K = TypeVar("K", bound=Hashable)
PageKey = tuple[str, Page]
"""The parent of a page, and the page arguments."""


DOCUMENTS_BY_ID = Lookup(Document.id, visibility.documents)
SECTIONS_BY_ID = Lookup(Section.id, visibility.sections)
CHATS_BY_ID = Lookup(ChatSession.id, visibility.chats)
CHATS_BY_SECTION = Lookup(ChatSession.section_id, visibility.chats_of_readable_sections)
MESSAGES_BY_ID = Lookup(Message.id, visibility.messages)
USERS_BY_ID = Lookup(User.id, visibility.users)
SHARE_LINKS_BY_ID = Lookup(ShareLink.id, share_links.of_readable_documents)
API_KEYS_BY_ID = Lookup(ApiKey.id, lambda viewer: select(ApiKey).where(ApiKey.workspace_id == viewer.workspace))
AUDIT_ENTRIES_BY_ID = Lookup(
    AuditEntry.id, lambda viewer: select(AuditEntry).where(AuditEntry.workspace_id == viewer.workspace)
)

NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Loaders:
    """The loaders of one operation of one principal. Each batch checks out its own connection.

    A loader is created at its first use: most operations use one or two of them.
    """

    def __init__(self, database: Database, principal: Principal, selected: Selection | None = None) -> None:
        """Read what is selected of each row; None selects all."""
        self._database = database
        self._principal = principal
        self.viewer = Viewer.of(principal)
        self._selected = selected
        # Rows primed from anchors. Kept apart from the loaders, most of which are then never created.
        self._documents: dict[str, Document | None] = {}
        self._sections: dict[str, Section | None] = {}
        self._chats: dict[str, ChatSession | None] = {}
        self._chats_by_section: dict[str, ChatSession | None] = {}

    @cached_property
    def documents(self) -> Loader[str, Document | None]:
        """Documents by id."""
        return self._rows(DOCUMENTS_BY_ID, self._documents)

    @cached_property
    def sections(self) -> Loader[str, Section | None]:
        """Sections by id."""
        return self._rows(SECTIONS_BY_ID, self._sections)

    @cached_property
    def chats(self) -> Loader[str, ChatSession | None]:
        """Chats by id."""
        return self._rows(CHATS_BY_ID, self._chats)

    @cached_property
    def chats_by_section(self) -> Loader[str, ChatSession | None]:
        """Chats by section id."""
        return self._rows(CHATS_BY_SECTION, self._chats_by_section)

    @cached_property
    def messages(self) -> Loader[str, Message | None]:
        """Messages by id."""
        return self._rows(MESSAGES_BY_ID, NOTHING)

    @cached_property
    def texts(self) -> Loader[str, Sequence[SectionText]]:
        """The texts of all sections of a document in reading order, by document id."""
        workspace_id = self._principal.workspace_id
        return self._mapping(lambda session, ids: documents.texts(session, workspace_id, ids), ())

    @cached_property
    def pages_of_sections(self) -> Loader[PageKey, Connection[Section]]:
        """Pages of the sections of documents."""
        return self._pages(documents.SECTIONS)

    @cached_property
    def pages_of_documents(self) -> Loader[PageKey, Connection[Document]]:
        """Pages of the documents that hold sections."""
        return self._pages(documents.DOCUMENTS_OF_SECTIONS)

    @cached_property
    def pages_of_placements(self) -> Loader[PageKey, Connection[Placement]]:
        """Pages of the placements of sections."""
        return self._pages(documents.PLACEMENTS_OF_SECTIONS)

    @cached_property
    def counts_of_sections(self) -> Loader[str, int]:
        """The number of sections in a document, by document id."""
        workspace_id = self._principal.workspace_id
        return self._mapping(lambda session, ids: documents.count_sections(session, workspace_id, ids), 0)

    @cached_property
    def counts_of_documents(self) -> Loader[str, int]:
        """The number of documents that hold a section and may be read, by section id."""
        viewer = self.viewer
        return self._mapping(lambda session, ids: documents.count_of_sections(session, viewer, ids), 0)

    @cached_property
    def pages_of_section_revisions(self) -> Loader[PageKey, Connection[SectionRevision]]:
        """Pages of the earlier versions of sections."""
        return self._pages(revisions.REVISIONS[Section])

    @cached_property
    def pages_of_document_revisions(self) -> Loader[PageKey, Connection[DocumentRevision]]:
        """Pages of the earlier versions of documents."""
        return self._pages(revisions.REVISIONS[Document])

    @cached_property
    def counts_of_section_revisions(self) -> Loader[str, int]:
        """The number of earlier versions of a section, by section id."""
        workspace_id = self._principal.workspace_id
        return self._mapping(lambda session, ids: revisions.count(session, workspace_id, Section, ids), 0)

    @cached_property
    def counts_of_document_revisions(self) -> Loader[str, int]:
        """The number of earlier versions of a document, by document id."""
        workspace_id = self._principal.workspace_id
        return self._mapping(lambda session, ids: revisions.count(session, workspace_id, Document, ids), 0)

    @cached_property
    def section_versions(self) -> Loader[tuple[str, int], SectionRevision | None]:
        """The state of a section at a version, also the present one, by section id and version."""
        workspace_id = self._principal.workspace_id
        return self._mapping(lambda session, keys: revisions.of_versions(session, workspace_id, Section, keys), None)

    @cached_property
    def document_versions(self) -> Loader[tuple[str, int], DocumentRevision | None]:
        """The state of a document at a version, also the present one, by document id and version."""
        workspace_id = self._principal.workspace_id
        return self._mapping(lambda session, keys: revisions.of_versions(session, workspace_id, Document, keys), None)

    @cached_property
    def section_states(self) -> Loader[tuple[str, datetime | None], SectionRevision | None]:
        """The state of a section at a time (None: now), by section id and time."""
        workspace_id = self._principal.workspace_id
        return self._mapping(lambda session, keys: revisions.states_at(session, workspace_id, keys), None)

    @cached_property
    def orders_at(self) -> Loader[DocumentRevision, Sequence[tuple[str, str]]]:
        """The positions and ids of the sections that a document held at a version."""
        viewer = self.viewer

        async def read(
            session: AsyncSession, asked: Sequence[DocumentRevision]
        ) -> Mapping[DocumentRevision, Sequence[tuple[str, str]]]:
            return {each: await revisions.order_at(session, viewer, each) for each in asked}

        return self._mapping(read, ())

    @cached_property
    def roles_on_documents(self) -> Loader[str, Standing | None]:
        """The role on a document, by document id; None if the principal has none, or there is no such document."""
        database, principal = self._database, self._principal
        return self._loader(lambda ids: roles.on_documents(database, principal, ids), None, NOTHING)

    @cached_property
    def roles_on_sections(self) -> Loader[str, Standing | None]:
        """The role on a section, by section id; None if the principal has none, or there is no such section."""
        database, principal = self._database, self._principal
        return self._loader(lambda ids: roles.on_sections(database, principal, ids), None, NOTHING)

    @cached_property
    def users(self) -> Loader[str, User | None]:
        """Users by id; None if no token has named them."""
        database, viewer = self._database, self.viewer
        return self._loader(lambda ids: USERS_BY_ID.find(database, viewer, ids), None, NOTHING)

    @cached_property
    def pages_of_messages(self) -> Loader[PageKey, Connection[Message]]:
        """Pages of the messages of chats."""
        return self._pages(messages.MESSAGES)

    @cached_property
    def api_keys(self) -> Loader[str, ApiKey | None]:
        """API keys by id."""
        return self._rows(API_KEYS_BY_ID, NOTHING)

    @cached_property
    def share_links(self) -> Loader[str, ShareLink | None]:
        """Share links by id."""
        return self._rows(SHARE_LINKS_BY_ID, NOTHING)

    @cached_property
    def audit_entries(self) -> Loader[str, AuditEntry | None]:
        """Audit entries by id."""
        return self._rows(AUDIT_ENTRIES_BY_ID, NOTHING)

    @cached_property
    def grants(self) -> Loader[tuple[str, str], Grant | None]:
        """Grants by the ids of their documents and users."""
        workspace_id = self._principal.workspace_id
        return self._mapping(lambda session, keys: grants.of_keys(session, workspace_id, keys), None)

    @cached_property
    def pages_of_grants(self) -> Loader[PageKey, Connection[Grant]]:
        """Pages of the grants on documents."""
        return self._pages(grants.GRANTS)

    @cached_property
    def counts_of_grants(self) -> Loader[str, int]:
        """The number of grants on a document, by document id."""
        workspace_id = self._principal.workspace_id
        return self._mapping(lambda session, ids: grants.count(session, workspace_id, ids), 0)

    @cached_property
    def pages_of_share_links(self) -> Loader[PageKey, Connection[ShareLink]]:
        """Pages of the share links of documents."""
        return self._pages(share_links.SHARE_LINKS)

    @cached_property
    def counts_of_share_links(self) -> Loader[str, int]:
        """The number of share links of a document, by document id."""
        workspace_id = self._principal.workspace_id
        return self._mapping(lambda session, ids: share_links.count(session, workspace_id, ids), 0)

    def prime(self, anchor: Anchor) -> None:
        """Cache the rows of an anchor, so that they are not read again by id."""
        if anchor.document is not None:
            self._documents[anchor.document.id] = anchor.document
        if anchor.section is not None:
            self._sections[anchor.section.id] = anchor.section
            self._chats_by_section[anchor.section.id] = anchor.chat
        if anchor.chat is not None:
            self._chats[anchor.chat.id] = anchor.chat
            if anchor.chat.document_id is not None and anchor.knows_through:
                self._documents[anchor.chat.document_id] = anchor.opened_through

    def clear(self) -> None:
        """Clear every cache: a write makes earlier reads stale."""
        for known in (self._documents, self._sections, self._chats, self._chats_by_section):
            known.clear()
        for each in vars(self).values():
            if isinstance(each, Loader):
                each.clear()

    def _mapping(
        self, query: Callable[[AsyncSession, Sequence[K]], Awaitable[Mapping[K, T]]], missing: T
    ) -> Loader[K, T]:
        # As in `_loader`: no reference to `self`.
        database = self._database

        async def read(keys: Sequence[K]) -> Mapping[K, T]:
            async with database.read() as session:
                return await query(session, keys)

        return self._loader(read, missing, NOTHING)

    @staticmethod
    def _loader(
        read: Callable[[Sequence[K]], Awaitable[Mapping[K, T]]], missing: T, known: Mapping[K, T]
    ) -> Loader[K, T]:
        # Its functions must not reference the `Loaders`, which hold it: only the garbage collector frees cycles.
        async def load(keys: list[K]) -> list[Loaded[T]]:
            found = await read_each(read, keys)
            return [found.get(key, missing) for key in keys]

        return Loader(load, known)

    def _rows(self, lookup: Lookup[B], known: Mapping[str, B | None]) -> Loader[str, B | None]:
        database, viewer, selected = self._database, self.viewer, self._selected
        return self._loader(lambda keys: lookup.find(database, viewer, keys, selected), None, known)

    def _pages(self, listing: Listing[T]) -> Loader[PageKey, Connection[T]]:
        database, viewer, selected = self._database, self.viewer, self._selected

        async def read(keys: Sequence[PageKey]) -> Mapping[PageKey, Connection[T]]:
            parents = defaultdict(list)
            for parent, page in keys:
                parents[page].append(parent)
            found = {}
            for page, ids in parents.items():
                pages = await listing.pages(database, viewer, ids, page, selected)
                found.update({(parent, page): connection for parent, connection in pages.items()})
            return found

        return self._loader(read, None, NOTHING)
