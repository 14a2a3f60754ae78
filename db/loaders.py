"""Loaders: the queries of one operation, batched and remembered for as long as it lasts."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from db import anchors, chats, documents, visible
from db.anchors import Anchor, AnchorKey
from db.batches import among
from db.database import Database
from db.ids import is_findable
from db.models import ChatSession, Document, Message, Section
from db.paging import Connection, Page

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K")
PageKey = tuple[str, Page]
"""The parent of a page, and which page of it."""


class _PagesQuery(Protocol, Generic[T_co]):
    async def __call__(
        self, session: AsyncSession, workspace_id: str, parents: Sequence[str], page: Page, /
    ) -> Mapping[str, Connection[T_co]]: ...


class Loaders:
    """What one operation reads of one workspace; each batch takes a connection of its own."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self.anchors = DataLoader[AnchorKey, Anchor](load_fn=self._load_anchors)
        self.documents = self._rows(Document.id, visible.documents)
        self.sections = self._rows(Section.id, visible.sections)
        self.chats = self._rows(ChatSession.id, visible.chats)
        self.chats_by_section = self._rows(ChatSession.section_id, visible.chats)
        self.messages = self._rows(Message.id, visible.messages)
        self.all_sections: DataLoader[str, Sequence[Section]] = self._mapping(
            lambda session, ids: documents.all_sections(session, workspace_id, ids), ()
        )
        self.pages_of_sections = self._pages(documents.sections)
        self.pages_of_documents = self._pages(documents.of_sections)
        self.pages_of_messages = self._pages(chats.messages)

    def clear(self) -> None:
        """Forget everything: a write makes what was read before it stale."""
        for loader in vars(self).values():
            if isinstance(loader, DataLoader):
                loader.clear_all()

    def _mapping(
        self, query: Callable[[AsyncSession, Sequence[K]], Awaitable[Mapping[K, T]]], missing: T
    ) -> DataLoader[K, T]:
        async def load(keys: list[K]) -> list[T]:
            async with self._database.read() as session:
                found = await query(session, keys)
            return [found.get(key, missing) for key in keys]

        return DataLoader(load_fn=load)

    def _rows(self, key: Any, visible_rows: Callable[[str], Select[T]]) -> DataLoader[str, T | None]:
        async def read(session: AsyncSession, keys: Sequence[str]) -> Mapping[str, T | None]:
            query = visible_rows(self._workspace_id)
            rows = await session.scalars(query.where(among(key, filter(is_findable, keys))))
            return {getattr(row, key.key): row for row in rows}

        return self._mapping(read, None)

    def _pages(self, query: _PagesQuery[T]) -> DataLoader[PageKey, Connection[T]]:
        async def load(keys: list[PageKey]) -> list[Connection[T]]:
            parents = defaultdict(list)
            for parent, page in keys:
                parents[page].append(parent)
            found = {}
            async with self._database.read() as session:
                for page, ids in parents.items():
                    pages = await query(session, self._workspace_id, ids, page)
                    found.update({(parent, page): connection for parent, connection in pages.items()})
            return [found[key] for key in keys]

        return DataLoader(load_fn=load)

    async def _load_anchors(self, keys: list[AnchorKey]) -> list[Anchor]:
        async with self._database.read() as session:
            found = await anchors.find(session, keys)
        for anchor in found.values():
            self._prime(anchor)
        return [found[key] for key in keys]

    def _prime(self, anchor: Anchor) -> None:
        # What came along with an anchor need not be read again by id.
        if anchor.document is not None:
            self.documents.prime(anchor.document.id, anchor.document)
        if anchor.section is not None:
            self.sections.prime(anchor.section.id, anchor.section)
            self.chats_by_section.prime(anchor.section.id, anchor.chat)
        if anchor.chat is not None:
            self.chats.prime(anchor.chat.id, anchor.chat)
            if anchor.chat.document_id is not None:
                self.documents.prime(anchor.chat.document_id, anchor.opened_through)
