"""API keys: listing them."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import ApiKey
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order

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
