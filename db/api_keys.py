"""API keys: listing, storing and revoking them."""

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.inserts import values
from db.locks import Transaction
from db.models import ApiKey
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.times import utcnow

NEWEST_FIRST = Order("apiKeys", (ApiKey.created_at, ApiKey.id), newest_first=True)

API_KEYS = Listing(
    NEWEST_FIRST,
    [ApiKey],
    lambda _dialect, _selected, viewer: Origin(
        select(ApiKey).where(ApiKey.workspace_id == viewer.workspace), {ApiKey: ApiKey}
    ),
    lambda key, place: Edge(key, NEWEST_FIRST, place),
)
"""The API keys of a workspace, revoked ones too, the newest first."""


async def count(session: AsyncSession, workspace_id: str) -> int:
    """Count the API keys of a workspace."""
    return await session.scalar(select(func.count()).where(ApiKey.workspace_id == workspace_id)) or 0


async def add(transaction: Transaction, key: ApiKey) -> ApiKey:
    """Store a new API key and return it as stored."""
    added = await transaction.session.execute(insert(ApiKey).values(values(key)).returning(ApiKey))
    return added.scalar_one()


async def lock(transaction: Transaction, key_id: str) -> ApiKey | None:
    """Lock an API key and return it. None: it does not exist."""
    row = select(ApiKey).where(ApiKey.workspace_id == transaction.workspace_id, ApiKey.id == key_id)
    return (await transaction.lock(ApiKey, row.execution_options(populate_existing=True))).scalar_one_or_none()


async def revoke(transaction: Transaction, key: ApiKey) -> ApiKey:
    """Revoke a locked API key that is not revoked yet, and return it as stored."""
    revoked = await transaction.session.execute(
        update(ApiKey)
        .where(ApiKey.workspace_id == transaction.workspace_id, ApiKey.id == key.id)
        .values(revoked_at=utcnow(), updated_at=utcnow())
        .returning(ApiKey)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return revoked.scalar_one()
