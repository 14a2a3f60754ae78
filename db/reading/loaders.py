"""Loaders: the reads of one operation, batched, and cached until it ends."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import cached_property
from inspect import isawaitable
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from db import documents, messages
from db.anchors import Anchor
from db.connection.database import Database
from db.documents import SectionText
from db.ids import is_findable
from db.models import ChatSession, Document, Message, Section
from db.reading import visibility
from db.reading.bisection import read_each
from db.reading.paging import Connection, Page
from db.reading.sql_arrays import each_of

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K", bound=Hashable)
PageKey = tuple[str, Page]
"""The parent of a page, and the page arguments."""


class _PagesQuery(Protocol, Generic[T_co]):
    async def __call__(
        self, session: AsyncSession, workspace_id: str, parents: Sequence[str], page: Page, /
    ) -> Mapping[str, Connection[T_co]]: ...


AwaitableOrValue: TypeAlias = T | Awaitable[T]
"""A value, or an awaitable of it. A caller that accepts both avoids a needless await."""


class Loader(DataLoader[K, T]):
    """Loads by key: concurrent keys in one batch, each key once, and known keys without a statement.

    The failure of a key does not affect the other keys of its batch.
    """

    def __init__(
        self, load_fn: Callable[[list[K]], Awaitable[Sequence[T | BaseException]]], known: Mapping[K, T]
    ) -> None:
        super().__init__(load_fn)
        self._known = known

    def get(self, key: K) -> AwaitableOrValue[T]:
        """Return the value of a key, without an awaitable if it is known."""
        return self._known[key] if key in self._known else super().load(key)

    def load(self, key: K) -> Awaitable[T]:
        """Return an awaitable of the value of a key."""
        found = self.get(key)
        return found if isawaitable(found) else _ready(found)


NOTHING: Mapping[Any, Any] = MappingProxyType({})


async def _ready(value: T) -> T:
    return value


class Loaders:
    """The loaders of one operation in one workspace. Each batch checks out its own connection.

    A loader is created at its first use: most operations use one or two of them.
    """

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._database = database
        self._workspace_id = workspace_id
        # Rows primed from anchors. Kept apart from the loaders, most of which are then never created.
        self._documents: dict[str, Document | None] = {}
        self._sections: dict[str, Section | None] = {}
        self._chats: dict[str, ChatSession | None] = {}
        self._chats_by_section: dict[str, ChatSession | None] = {}

    @cached_property
    def documents(self) -> Loader[str, Document | None]:
        """Documents by id."""
        return self._rows(Document.id, visibility.documents, self._documents)

    @cached_property
    def sections(self) -> Loader[str, Section | None]:
        """Sections by id."""
        return self._rows(Section.id, visibility.sections, self._sections)

    @cached_property
    def chats(self) -> Loader[str, ChatSession | None]:
        """Chats by id."""
        return self._rows(ChatSession.id, visibility.chats, self._chats)

    @cached_property
    def chats_by_section(self) -> Loader[str, ChatSession | None]:
        """Chats by section id."""
        return self._rows(ChatSession.section_id, visibility.chats, self._chats_by_section)

    @cached_property
    def messages(self) -> Loader[str, Message | None]:
        """Messages by id."""
        return self._rows(Message.id, visibility.messages, NOTHING)

    @cached_property
    def texts(self) -> Loader[str, Sequence[SectionText]]:
        """The texts of all sections of a document in reading order, by document id."""
        workspace_id = self._workspace_id
        return self._mapping(lambda session, ids: documents.texts(session, workspace_id, ids), ())

    @cached_property
    def pages_of_sections(self) -> Loader[PageKey, Connection[Section]]:
        """Pages of the sections of documents."""
        return self._pages(documents.sections)

    @cached_property
    def pages_of_documents(self) -> Loader[PageKey, Connection[Document]]:
        """Pages of the documents that hold sections."""
        return self._pages(documents.of_sections)

    @cached_property
    def counts_of_sections(self) -> Loader[str, int]:
        """The number of sections in a document, by document id."""
        workspace_id = self._workspace_id
        return self._mapping(lambda session, ids: documents.count_sections(session, workspace_id, ids), 0)

    @cached_property
    def counts_of_documents(self) -> Loader[str, int]:
        """The number of documents that hold a section, by section id."""
        workspace_id = self._workspace_id
        return self._mapping(lambda session, ids: documents.count_of_sections(session, workspace_id, ids), 0)

    @cached_property
    def pages_of_messages(self) -> Loader[PageKey, Connection[Message]]:
        """Pages of the messages of chats."""
        return self._pages(messages.pages)

    def prime(self, anchor: Anchor) -> None:
        """Cache the rows of an anchor, so that they are not read again by id."""
        if anchor.document is not None:
            self._documents[anchor.document.id] = anchor.document
        if anchor.section is not None:
            self._sections[anchor.section.id] = anchor.section
            self._chats_by_section[anchor.section.id] = anchor.chat
        if anchor.chat is not None:
            self._chats[anchor.chat.id] = anchor.chat
            if anchor.chat.document_id is not None:
                self._documents[anchor.chat.document_id] = anchor.opened_through

    def clear(self) -> None:
        """Clear every cache: a write makes earlier reads stale."""
        for each in vars(self).values():
            if isinstance(each, Loader):
                each.clear_all()
            elif isinstance(each, dict):
                each.clear()

    def _mapping(
        self,
        query: Callable[[AsyncSession, Sequence[K]], Awaitable[Mapping[K, T]]],
        missing: T,
        known: Mapping[K, T] = NOTHING,
    ) -> Loader[K, T]:
        # The load function must not reference `self`, which holds the loader: only the garbage collector frees cycles.
        database = self._database

        async def read(keys: Sequence[K]) -> Mapping[K, T]:
            async with database.read() as session:
                return await query(session, keys)

        async def load(keys: list[K]) -> list[T | BaseException]:
            found = await read_each(read, keys)
            return [found.get(key, missing) for key in keys]

        return Loader(load, known)

    def _rows(
        self, key: Any, visible_rows: Callable[[str], Select[T]], known: Mapping[str, T | None]
    ) -> Loader[str, T | None]:
        workspace_id = self._workspace_id

        async def read(session: AsyncSession, keys: Sequence[str]) -> Mapping[str, T | None]:
            rows = await session.scalars(each_of(session, visible_rows(workspace_id), key, filter(is_findable, keys)))
            return {getattr(row, key.key): row for row in rows}

        return self._mapping(read, None, known)

    def _pages(self, query: _PagesQuery[T]) -> Loader[PageKey, Connection[T]]:
        database, workspace_id = self._database, self._workspace_id

        async def read(keys: Sequence[PageKey]) -> Mapping[PageKey, Connection[T]]:
            parents = defaultdict(list)
            for parent, page in keys:
                parents[page].append(parent)
            found = {}
            async with database.read() as session:
                for page, ids in parents.items():
                    pages = await query(session, workspace_id, ids, page)
                    found.update({(parent, page): connection for parent, connection in pages.items()})
            return found

        async def load(keys: list[PageKey]) -> list[Connection[T] | BaseException]:
            found = await read_each(read, keys)
            return [found[key] for key in keys]

        return Loader(load, NOTHING)
