"""The store: one operation's way to the data of one workspace."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncSession

from db import chats, documents
from db.anchors import Anchor, AnchorKey
from db.database import Database
from db.loaders import Loaders
from db.models import Document, Message
from db.paging import Connection, Page

T = TypeVar("T")
Transaction = AsyncSession
"""What the work of a transaction is handed: its session."""


class Undo(Exception):
    """Raised by the work of a transaction to undo it and have `value` returned instead."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


class Store:
    """What a use case may reach: batched reads (`load`), pages, and short transactions.

    Made anew for every operation, so that nothing read for one is shown to another.
    """

    def __init__(self, database: Database, workspace_id: str) -> None:
        self.workspace_id = workspace_id
        self.load = Loaders(database, workspace_id)
        self._database = database

    async def anchor(self, document_id: str, section_id: str) -> Anchor:
        """Read where a section stands in a document, and its chat. Raises `Unavailable`."""
        return await self.load.anchors.load(AnchorKey(self.workspace_id, document_id, section_id))

    async def documents(self, page: Page) -> Connection[Document]:
        """Read a page of the workspace's documents. Raises `Unavailable`."""
        async with self._database.read() as session:
            return await documents.page(session, self.workspace_id, page)

    async def message_of_client(self, chat_id: str, author: str, client_id: str) -> Message | None:
        """Read the message that an author has posted under a client id. Raises `Unavailable`."""
        async with self._database.read() as session:
            return await chats.message_of_client(session, self.workspace_id, chat_id, author, client_id)

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in one transaction, which its end commits and an exception or `Undo` undoes. Raises `Unavailable`.

        The work may run several times, each time from the start, and runs to its end even if the caller is gone.
        """
        try:
            return await self._database.transact(work)
        except Undo as undone:
            return cast(T, undone.value)
        finally:
            self.load.clear()
