"""Locks: the rows that a transaction keeps until it ends, taken by everybody in one order.

Documents come first, then placements, sections and chats, and the rows of one table by their keys. So no two
transactions wait for each other. One that turns back in this order is a fault, also on SQLite, which locks no rows.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVarTuple

from sqlalchemy import Result, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.ids import is_findable
from db.models import Base, ChatSession, Document, Placement, Section, Trashable
from db.reading import visibility

ORDER: tuple[type[Base], ...] = (Document, Placement, Section, ChatSession)
"""The order in which a transaction locks rows."""


Columns = TypeVarTuple("Columns")


class Strength(Enum):
    """How strong a lock is."""

    SHARE = "share"
    """Keeps a row from being removed; others may read it, change it, and share the lock."""
    UPDATE = "update"
    """Keeps a row for one transaction, which may remove it."""


class LockOrderViolated(Exception):
    """A transaction locks a row of a table that comes before one it has locked already. It is a fault of ours."""


@dataclass
class Transaction:
    """One transaction in a workspace, and how far it has come in the order of locks."""

    session: AsyncSession
    workspace_id: str
    _reached: type[Base] = field(default=ORDER[0], repr=False)

    def reach(self, kind: type[Base]) -> None:
        """Note that rows of a table are locked next. Raises `LockOrderViolated`."""
        if ORDER.index(kind) < ORDER.index(self._reached):
            raise LockOrderViolated(f"{kind.__tablename__} must be locked before {self._reached.__tablename__}")
        self._reached = kind

    async def lock(
        self, kind: type[Base], rows: Select[*Columns], strength: Strength = Strength.UPDATE
    ) -> Result[*Columns]:
        """Lock the rows of a table that a query in the order of their keys selects, and return what it reads."""
        self.reach(kind)
        shared = strength is Strength.SHARE
        return await self.session.execute(rows.with_for_update(read=shared, key_share=shared))


async def lock_for_update(transaction: Transaction, kind: type[Trashable], row_id: str) -> Trashable | None:
    """Lock a row, in the trash or not, and return it as it is now; None: there is none."""
    if not is_findable(row_id):
        return None
    row = select(kind).where(kind.workspace_id == transaction.workspace_id, kind.id == row_id)
    return (await transaction.lock(kind, row.execution_options(populate_existing=True))).scalar_one_or_none()


async def lock_for_share(transaction: Transaction, section_id: str) -> bool:
    """Keep a section from being removed; False: there is no such section."""
    row = select(Section.id).where(visibility.readable_section(transaction.workspace_id), Section.id == section_id)
    return (await transaction.lock(Section, row, Strength.SHARE)).first() is not None
