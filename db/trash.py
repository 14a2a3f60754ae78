"""The trash: what is put into it can be brought back, or be taken away for good.

Whoever takes something away first locks its row (`db/locks.py`), which waits for those who open a chat there, and then
acts in a statement of its own, which sees what they did.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.ids import is_findable
from db.locks import Transaction
from db.models import Document, Section, Trashable
from db.reading.paging import Connection, Edge, Order, Page, read_page
from db.times import utcnow

LATEST_FIRST = {
    kind: Order(f"trashed{kind.__name__}s", (kind.deleted_at, kind.id), newest_first=True)
    for kind in (Document, Section)
}
"""What was put into the trash last comes first."""


PURGING = datetime(1970, 1, 1, tzinfo=UTC)
"""In place of the time at which it was put there: its purge was begun, and it is on its way out for good.

Nobody sees it, as all that is in the trash; neither is it listed there, nor can it be taken back.
"""


async def page(session: AsyncSession, workspace_id: str, kind: type[Trashable], page: Page) -> Connection[Trashable]:
    """Read a page of what a workspace has in the trash, the latest first."""
    trashed = select(kind).where(kind.workspace_id == workspace_id, kind.deleted_at > PURGING)
    return await read_page(session, trashed, LATEST_FIRST[kind], page, lambda row, cursor: Edge(row[0], cursor))


async def count(session: AsyncSession, workspace_id: str, kind: type[Trashable]) -> int:
    """Count what a workspace has in the trash."""
    trashed = select(func.count()).where(kind.workspace_id == workspace_id, kind.deleted_at > PURGING)
    return await session.scalar(trashed) or 0


async def is_trashed(session: AsyncSession, workspace_id: str, kind: type[Trashable], row_id: str) -> bool:
    """Tell whether a row is in the trash."""
    return is_findable(row_id) and bool(
        await session.scalar(
            select(kind.id).where(kind.workspace_id == workspace_id, kind.id == row_id, kind.deleted_at > PURGING)
        )
    )


async def move_to_trash(transaction: Transaction, row: Trashable) -> Trashable:
    """Put a row that is held into the trash; where it is in there already, it stays as it is."""
    return row if row.deleted_at is not None else await _deleted(transaction.session, row, utcnow())


async def restore(transaction: Transaction, row: Trashable) -> Trashable:
    """Take a row that is held out of the trash, unless it is out already."""
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
