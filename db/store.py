"""The store: one operation's access to the data of one workspace."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from db import anchors, documents, messages, trash
from db.anchors import Anchor, AnchorKey, AnchorLoader, SectionChat
from db.connection.database import Database
from db.doctor.scanner import Scanner
from db.ids import is_findable
from db.locks import Transaction as Transaction
from db.models import Document, Message, Trashable
from db.principals import Principal
from db.reading.bisection import read_each
from db.reading.loaders import Loaders
from db.reading.paging import Connection, Page
from db.reading.rows import Selection, with_more
from db.storage_quota import StorageQuota, StorageUse

T = TypeVar("T")


class Store:
    """The data access of a use case: batched reads (`load`), pages, and short transactions.

    Each operation has a store of its own, so no operation sees what another one has cached.
    """

    def __init__(
        self,
        database: Database,
        principal: Principal,
        shared: AnchorLoader | None = None,
        selected: Selection | None = None,
        quota: StorageQuota | None = None,
    ) -> None:
        """Give access to the workspace of a principal. Operations that share an anchor loader share its statements.

        Of each row, only what is selected is read; None selects all. Without a quota, a workspace is never full.
        """
        self.principal = principal
        self.workspace_id = principal.workspace_id
        self.load = Loaders(database, principal.workspace_id, selected)
        self._database = database
        self._selected = selected
        self._quota = quota
        self._anchors = shared or AnchorLoader(database)

    async def anchor(self, document_id: str, section_id: str, also: Selection | None = None) -> Anchor:
        """Read the anchor of a section in a document, with what the caller reads of its rows besides.

        Raises `DatabaseUnavailable`.
        """
        selected = with_more(self._selected, also) if also else self._selected
        anchor = await self._anchors.load(AnchorKey(self.workspace_id, document_id, section_id), selected)
        self.load.prime(anchor)
        return anchor

    async def anchors(self, document_id: str, section_ids: Iterable[str]) -> Mapping[str, Anchor | Exception]:
        """Read the anchors of sections in a document, all in one statement. Raises `DatabaseUnavailable`.

        The error takes the place of an anchor that cannot be read.
        """
        keys = [AnchorKey(self.workspace_id, document_id, section_id) for section_id in dict.fromkeys(section_ids)]
        found = await read_each(lambda some: anchors.find(self._database, some, self._selected), keys)
        for anchor in found.values():
            if isinstance(anchor, Anchor):
                self.load.prime(anchor)
        return {key.section_id: found[key] for key in keys}

    async def standing(self, document_id: str) -> Sequence[SectionChat] | None:
        """Read the sections of a document and their chats. None: the document does not exist.

        Raises `DatabaseUnavailable`.
        """
        if not is_findable(document_id):
            return None
        async with self._database.read() as session:
            return await anchors.in_document(session, self.workspace_id, document_id)

    async def documents(self, page: Page) -> Connection[Document]:
        """Read a page of the workspace's documents. Raises `DatabaseUnavailable`."""
        return await documents.DOCUMENTS.page(self._database, self.workspace_id, page, self._selected)

    async def count_documents(self) -> int:
        """Count the workspace's documents. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await documents.count(session, self.workspace_id)

    async def count_trashed(self, kind: type[Trashable]) -> int:
        """Count the workspace's trashed items of a type. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await trash.count(session, self.workspace_id, kind)

    async def trashed(self, kind: type[Trashable], page: Page) -> Connection[Trashable]:
        """Read a page of the workspace's trashed items of a type. Raises `DatabaseUnavailable`."""
        return await trash.TRASHED[kind].page(self._database, self.workspace_id, page, self._selected)

    async def is_trashed(self, kind: type[Trashable], row_id: str) -> bool:
        """Whether an item is in the trash. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await trash.is_trashed(session, self.workspace_id, kind, row_id)

    async def whole_document(self, document_id: str) -> Document | None:
        """Read all of a document, whatever the operation selects. Raises `DatabaseUnavailable`."""
        return await Loaders(self._database, self.workspace_id).documents.load(document_id)

    async def message_of_client(self, chat_id: str, author: str, client_id: str) -> Message | None:
        """Read the message that an author posted under a client id. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await messages.message_of_client(session, self.workspace_id, chat_id, author, client_id)

    def storage_exceeded(self) -> StorageUse | None:
        """Return how much the workspace holds if it is full, by a recent count."""
        return self._quota.exceeded(self.workspace_id) if self._quota else None

    @property
    def lock_timeout(self) -> float:
        """The timeout of a lock, and of a connection checkout, in seconds."""
        return self._database.lock_timeout

    async def transact(self, work: Callable[[Transaction], Awaitable[T]], *, repeatable: bool = False) -> T:
        """Run `work` in one transaction. Its end commits; an exception or an `Outcome` rolls back.

        Raises `DatabaseUnavailable`.

        Retries run the work again from the start. It runs to its end even if the caller has gone. The caller waits for
        `repeatable` work until the deadline only.
        """
        try:
            return await self._database.transact(
                lambda session: work(Transaction(session, self.workspace_id)), repeatable=repeatable
            )
        finally:
            self.load.clear()

    @property
    def scanner(self) -> Scanner:
        """The doctor's scanner for this workspace."""
        return Scanner(self._database, self.workspace_id)
