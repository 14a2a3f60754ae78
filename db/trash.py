"""The trash: documents and sections in it can be restored or purged.

A transaction that trashes or purges an item first locks its row (`db/locks.py`). The lock waits for transactions that
open a chat there, and the next statement sees their chats.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.locks import Transaction
from db.models import Document, Section, Trashable
from db.reading import visibility
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.reading.rows import Selection
from db.reading.visibility import Viewer
from db.times import utcnow

PURGING = datetime(1970, 1, 1, tzinfo=UTC)
"""The value of `deleted_at` while an item is being purged.

Such an item is invisible like all trashed items. It is not listed in the trash and cannot be restored.
"""


def _listing(kind: type[Trashable]) -> Listing[Trashable]:
    order = Order(f"trashed{kind.__name__}s", (kind.deleted_at, kind.id), newest_first=True)

    def origin(_dialect: str, _selected: Selection | None, viewer: Viewer) -> Origin:
        return Origin(select(kind).where(_trashed(kind, viewer)), {kind: kind})

    return Listing(order, [kind], origin, lambda row, key: Edge(row, order, key))


def _trashed(kind: type[Trashable], viewer: Viewer) -> ColumnElement[bool]:
    usable = visibility.usable_document(viewer) if kind is Document else visibility.usable_section(viewer)
    return and_(kind.workspace_id == viewer.workspace, kind.deleted_at > PURGING, usable)


TRASHED: Mapping[type, Listing[Any]] = {kind: _listing(kind) for kind in (Document, Section)}
"""The trashed items of each type, the latest first."""


async def count(session: AsyncSession, viewer: Viewer, kind: type[Trashable]) -> int:
    """Count the trashed items of a type that a viewer may use."""
    trashed = select(func.count()).select_from(kind).where(_trashed(kind, viewer))
    return await session.scalar(trashed) or 0


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
