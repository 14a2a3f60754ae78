"""The trash: documents and sections in it can be restored or purged.

A transaction that trashes or purges an item first locks its row (`db/locks.py`). The lock waits for transactions that
open a chat there, and the next statement sees their chats.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.ids import is_findable
from db.locks import Transaction
from db.models import Document, Section, Trashable
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.reading.statements import WORKSPACE
from db.times import utcnow

PURGING = datetime(1970, 1, 1, tzinfo=UTC)
"""The value of `deleted_at` while an item is being purged.

Such an item is invisible like all trashed items. It is not listed in the trash and cannot be restored.
"""


def _listing(kind: type[Trashable]) -> Listing[Trashable]:
    order = Order(f"trashed{kind.__name__}s", (kind.deleted_at, kind.id), newest_first=True)
    trashed = select(kind).where(kind.workspace_id == WORKSPACE, kind.deleted_at > PURGING)
    return Listing(order, [kind], lambda *_: Origin(trashed, {kind: kind}), lambda row, key: Edge(row, order, key))


TRASHED: Mapping[type, Listing[Any]] = {kind: _listing(kind) for kind in (Document, Section)}
"""The trashed items of each type, the latest first."""


async def count(session: AsyncSession, workspace_id: str, kind: type[Trashable]) -> int:
    """Count a workspace's trashed items of a type."""
    trashed = select(func.count()).where(kind.workspace_id == workspace_id, kind.deleted_at > PURGING)
    return await session.scalar(trashed) or 0


async def is_trashed(session: AsyncSession, workspace_id: str, kind: type[Trashable], row_id: str) -> bool:
    """Whether a row is in the trash."""
    return is_findable(row_id) and bool(
        await session.scalar(
            select(kind.id).where(kind.workspace_id == workspace_id, kind.id == row_id, kind.deleted_at > PURGING)
        )
    )


async def move_to_trash(transaction: Transaction, row: Trashable) -> Trashable:
    """Move a locked row to the trash. A row that is already there stays as it is."""
    return row if row.deleted_at is not None else await _deleted(transaction.session, row, utcnow())


async def restore(transaction: Transaction, row: Trashable) -> Trashable:
    """Restore a locked row from the trash, unless it is not trashed."""
    return row if row.deleted_at is None else await _deleted(transaction.session, row, None)


async def _deleted(session: AsyncSession, row: Trashable, at: Any) -> Trashable:
    kind = type(row)
    changed = await session.execute(
        update(kind)
        .where(kind.workspace_id == row.workspace_id, kind.id == row.id)
        .values(deleted_at=at)
        .returning(kind)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return changed.scalar_one()
