"""API keys: listing, creating and revoking them."""

from collections.abc import Sequence

from db.api_keys import NEWEST_FIRST
from db.models import ApiKey, UserKind
from db.reading.paging import Connection, Edge
from resolvers.arguments import (
    After,
    ApiKeyId,
    ApiKeyKind,
    ApiKeyName,
    ApiKeyRole,
    Before,
    ExpiresAt,
    First,
    Last,
)
from resolvers.context import Info, Parents
from services import api_keys as keys
from services.api_keys import CreateApiKeyResult, CreateApiKeySuccess, RevokeApiKeyResult
from services.paging import page


async def api_keys(
    info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
) -> Connection[ApiKey]:
    return await keys.keys(info.context.store, page(NEWEST_FIRST, first, after, last, before))


async def create_api_key(
    info: Info,
    name: ApiKeyName,
    role: ApiKeyRole,
    kind: ApiKeyKind = UserKind.SERVICE,
    expires_at: ExpiresAt = None,
) -> CreateApiKeyResult:
    return await keys.create_api_key(info.context.store, name, role, kind, expires_at)


async def revoke_api_key(info: Info, key_id: ApiKeyId) -> RevokeApiKeyResult:
    return await keys.revoke_api_key(info.context.store, key_id)


def created_edges(info: Info, created: Parents[CreateApiKeySuccess]) -> Sequence[Edge[ApiKey]]:
    return [keys.edge(each.api_key) for each in created]
