"""Row locks: every transaction takes them in one order, and holds them until it ends.

Documents come first, then placements, sections and chats, then the other tables. Within a table, rows are locked by
their keys. So two transactions cannot deadlock. Locking against this order is a fault, also on SQLite,
which has no row locks.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVarTuple

from sqlalchemy import Result, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.ids import is_findable
from db.models import (
    ApiKey,
    AuditEntry,
    Base,
    ChatSession,
    Document,
    DocumentRevision,
    Grant,
    Placement,
    Section,
    SectionRevision,
    ShareLink,
    Trashable,
)
from db.reading import visibility
from db.reading.sql_arrays import any_of

ORDER: tuple[type[Base], ...] = (
    Document,
    Placement,
    Section,
    ChatSession,
    Grant,
    ShareLink,
    ApiKey,
    AuditEntry,
    DocumentRevision,
    SectionRevision,
)
"""The order in which a transaction locks rows."""


Columns = TypeVarTuple("Columns")


class Strength(Enum):
    """The strength of a row lock."""

    SHARE = "share"
    """Prevents the delete of the row. Other transactions may read it, update it and share the lock."""
    CHANGE = "change"
    """Reserves changes of the row for one transaction. Others may read it and share `SHARE`."""
    UPDATE = "update"
    """Reserves the row for one transaction, which may delete it."""


class LockOrderViolated(Exception):
    """A transaction locks a row of a table that precedes one it has already locked. This is a bug in our code."""


@dataclass
class Transaction:
    """A transaction in a workspace, and the last table it locked in the lock order."""

    session: AsyncSession
    workspace_id: str
    _reached: type[Base] = field(default=ORDER[0], repr=False)

    def reach(self, kind: type[Base]) -> None:
        """Record that rows of a table are locked next. Raises `LockOrderViolated`."""
        if ORDER.index(kind) < ORDER.index(self._reached):
            raise LockOrderViolated(f"{kind.__tablename__} must be locked before {self._reached.__tablename__}")
        self._reached = kind

    async def lock(
        self, kind: type[Base], rows: Select[*Columns], strength: Strength = Strength.UPDATE
    ) -> Result[*Columns]:
        """Lock the rows that a query selects, and return its result. The query must be ordered by their keys."""
        self.reach(kind)
        is_shared, allows_shared = strength is Strength.SHARE, strength is not Strength.UPDATE
        return await self.session.execute(rows.with_for_update(read=is_shared, key_share=allows_shared))


async def lock_for_update(transaction: Transaction, kind: type[Trashable], row_id: str) -> Trashable | None:
    """Lock a row, trashed or not, and return its current state. None: the row does not exist."""
    if not is_findable(row_id):
        return None
    row = select(kind).where(kind.workspace_id == transaction.workspace_id, kind.id == row_id)
    return (await transaction.lock(kind, row.execution_options(populate_existing=True))).scalar_one_or_none()


async def lock_for_change(transaction: Transaction, kind: type[Trashable], row_id: str) -> Trashable | None:
    """Lock a row for a change that keeps its key, and return its current state. None: it does not exist or is trashed.

    Chats can open meanwhile.
    """
    if not is_findable(row_id):
        return None
    is_live = visibility.live_document if kind is Document else visibility.live_section
    row = select(kind).where(is_live(transaction.workspace_id), kind.id == row_id)
    locked = await transaction.lock(kind, row.execution_options(populate_existing=True), Strength.CHANGE)
    return locked.scalar_one_or_none()


async def lock_for_share(transaction: Transaction, section_id: str) -> bool:
    """Lock a section against deletion. False: the section does not exist or is trashed."""
    row = select(Section.id).where(visibility.live_section(transaction.workspace_id), Section.id == section_id)
    return (await transaction.lock(Section, row, Strength.SHARE)).first() is not None


async def lock_all_for_share(transaction: Transaction, section_ids: Sequence[str]) -> AbstractSet[str]:
    """Lock sections against deletion, and return the ids of those that exist and are not trashed."""
    rows = (
        select(Section.id)
        .where(visibility.live_section(transaction.workspace_id), any_of(Section.id, section_ids))
        .order_by(Section.id)
    )
    return set((await transaction.lock(Section, rows, Strength.SHARE)).scalars())


async def lock_document_for_share(transaction: Transaction, document_id: str) -> bool:
    """Lock a document against deletion. False: the document does not exist or is trashed."""
    row = select(Document.id).where(visibility.live_document(transaction.workspace_id), Document.id == document_id)
    return (await transaction.lock(Document, row, Strength.SHARE)).first() is not None
