"""The store: one operation's access to the data of one workspace."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, TypeVar

from db import anchors, api_keys, audit, documents, finding, messages, people, trash, workspaces
from db.anchors import Anchor, AnchorKey, AnchorLoader, SectionChat
from db.audit import AuditFilter
from db.connection.database import Database
from db.doctor.scanner import Scanner
from db.finding import Filter, OrderBy
from db.ids import is_findable
from db.locks import Transaction as Transaction
from db.models import ApiKey, AuditEntry, Document, Message, Trashable, User
from db.people import Trace, Within
from db.principals import Principal, Role
from db.reading.bisection import read_each
from db.reading.loaders import Loaders
from db.reading.paging import Connection, Page
from db.reading.rows import Selection, with_more
from db.reading.visibility import Reach, Viewer
from db.storage_quota import StorageQuota, StorageUse

T = TypeVar("T")

NOTHING_SELECTED: Selection = {}
"""Of each row, only what finds it is read."""


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
        self.load = Loaders(database, principal, selected)
        self._database = database
        self._selected = selected
        self._quota = quota
        self._anchors = shared or AnchorLoader(database)
        self._viewer = self.load.viewer

    async def anchor(self, document_id: str, section_id: str, also: Selection | None = None) -> Anchor:
        """Read the anchor of a section in a document, with what the caller reads of its rows besides.

        Raises `DatabaseUnavailable`.
        """
        selected = with_more(self._selected, also) if also else self._selected
        anchor = await self._anchors.load(self._viewer, document_id, section_id, selected)
        if self._needs_section(anchor):
            section = await Loaders(self._database, self.principal, selected).sections.load(section_id)
            anchor = replace(anchor, section=section)
        self.load.prime(anchor)
        return anchor

    async def has_role_on(self, document_id: str) -> bool:
        """Whether the principal has a role on a document, in the trash or not. Raises `DatabaseUnavailable`.

        Many that ask at the same time share their statements.
        """
        if self._viewer.shape.reach in (Reach.ALL, Reach.NAMED):
            return True  # only the end of its session takes such a role away
        anchor = await self._anchors.load(self._viewer, document_id, "", NOTHING_SELECTED)
        return anchor.document is not None or await self.load.roles_on_documents.load(document_id) is not None

    async def anchors(self, document_id: str, section_ids: Iterable[str]) -> Mapping[str, Anchor | Exception]:
        """Read the anchors of sections in a document, all in one statement. Raises `DatabaseUnavailable`.

        The error takes the place of an anchor that cannot be read.
        """
        viewer, user_id = self._viewer, self._viewer.user
        keys = [
            AnchorKey(self.workspace_id, user_id, document_id, section_id) for section_id in dict.fromkeys(section_ids)
        ]
        found = await read_each(lambda some: anchors.find(self._database, viewer, some, self._selected), keys)
        elsewhere = [key.section_id for key, anchor in found.items() if self._needs_section(anchor)]
        sections = dict(zip(elsewhere, await self.load.sections.load_many(elsewhere), strict=True))
        anchors_found: dict[str, Anchor | Exception] = {}
        for (*_, section_id), anchor in found.items():
            section = sections.get(section_id)
            if isinstance(anchor, Anchor) and not isinstance(section, Exception):
                anchor = replace(anchor, section=section or anchor.section)
                self.load.prime(anchor)
            anchors_found[section_id] = section if isinstance(section, Exception) else anchor
        return anchors_found

    def _needs_section(self, anchor: Anchor | Exception) -> bool:
        """Whether a section may stand elsewhere, where the principal can read it. Only owners read it at once."""
        return (
            isinstance(anchor, Anchor)
            and self._viewer.shape.reach is not Reach.ALL
            and anchor.document is not None
            and anchor.placement is None
        )

    async def standing(self, document_id: str) -> Sequence[SectionChat] | None:
        """Read the sections of a document and their chats. None: the document does not exist.

        Raises `DatabaseUnavailable`.
        """
        if not is_findable(document_id):
            return None
        async with self._database.read() as session:
            return await anchors.in_document(session, self._viewer, document_id)

    async def documents(self, page: Page) -> Connection[Document]:
        """Read a page of the documents that the principal may read. Raises `DatabaseUnavailable`."""
        return await documents.DOCUMENTS.page(self._database, self._viewer, page, self._selected)

    async def found(self, kind: type[Trashable], by: OrderBy, wanted: Filter, page: Page) -> Connection[Trashable]:
        """Read a page of the documents or sections that match a filter. Raises `DatabaseUnavailable`."""
        listing = finding.FOUND[kind, by]
        return await listing.page(self._database, self._viewer, page, self._selected, wanted.parameters)

    async def count_found(self, kind: type[Trashable], wanted: Filter) -> int:
        """Count the documents or sections that match a filter. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await finding.count(session, self._viewer, self._database.dialect, kind, wanted)

    async def count_documents(self) -> int:
        """Count the documents that the principal may read. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await documents.count(session, self._viewer)

    async def count_trashed(self, kind: type[Trashable], least: Role) -> int:
        """Count the trashed items of a type on which the principal has a role. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await trash.count(session, Viewer.of(self.principal, least), kind)

    async def trashed(self, kind: type[Trashable], least: Role, page: Page) -> Connection[Trashable]:
        """Read a page of those items. Raises `DatabaseUnavailable`."""
        viewer = Viewer.of(self.principal, least)
        return await trash.TRASHED[kind].page(self._database, viewer, page, self._selected)

    async def api_keys(self, page: Page) -> Connection[ApiKey]:
        """Read a page of the workspace's API keys. Raises `DatabaseUnavailable`."""
        return await api_keys.API_KEYS.page(self._database, self._viewer, page, self._selected)

    async def count_api_keys(self) -> int:
        """Count the workspace's API keys. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await api_keys.count(session, self.workspace_id)

    async def audit_entries(self, wanted: AuditFilter, page: Page) -> Connection[AuditEntry]:
        """Read a page of the workspace's audit entries that match a filter. Raises `DatabaseUnavailable`."""
        return await audit.AUDIT_ENTRIES.page(self._database, self._viewer, page, self._selected, wanted.parameters)

    async def count_audit_entries(self, wanted: AuditFilter) -> int:
        """Count the workspace's audit entries that match a filter. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await audit.count(session, self.workspace_id, wanted)

    async def user(self, user_id: str) -> User | None:
        """Read a user, if a token of theirs was seen. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await people.user(session, self.workspace_id, user_id)

    def rows_of_user(self, trace: Trace, user_id: str) -> AsyncIterator[Sequence[Any]]:
        """Read the rows of a table that name a user, some at a time. Raises `DatabaseUnavailable`."""
        return people.rows(self._database, self.workspace_id, trace, user_id)

    def places_of_user(self, trace: Trace, user_id: str) -> AsyncIterator[Within]:
        """Find the stretches of a table with rows that name a user. Raises `DatabaseUnavailable`."""
        return people.places(self._database, self.workspace_id, trace, user_id)

    async def anchors_of_chats(self, chat_ids: Sequence[str]) -> Mapping[str, tuple[str, str | None]]:
        """Read, for each chat, its section and the document through which it was opened.

        Raises `DatabaseUnavailable`.
        """
        async with self._database.read() as session:
            return await people.anchors_of_chats(session, self.workspace_id, chat_ids)

    async def whole_document(self, document_id: str) -> Document | None:
        """Read all of a document, whatever the operation selects. Raises `DatabaseUnavailable`."""
        return await Loaders(self._database, self.principal).documents.load(document_id)

    async def message_of_client(self, chat_id: str, author: str, client_id: str) -> Message | None:
        """Read the message that an author posted under a client id. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await messages.message_of_client(session, self.workspace_id, chat_id, author, client_id)

    def reads_only(self, kind: type, attributes: AbstractSet[str]) -> bool:
        """Whether the operation reads no other attributes of the objects of a class."""
        return self._selected is not None and self._selected.get(kind, frozenset()) <= attributes

    async def workspace_name(self) -> str | None:
        """Read the name of the workspace, if it has one. Raises `DatabaseUnavailable`."""
        return await workspaces.name(self._database, self.workspace_id)

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
