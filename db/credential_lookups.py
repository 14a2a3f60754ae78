"""Credential lookups: the API keys and share links that secrets belong to, found by digest in any workspace."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from db.connection.database import Database
from db.models import ApiKey, ShareLink, UserKind
from db.principals import Role
from db.reading.sql_arrays import any_of
from db.times import minutes_ago, utcnow


@dataclass(frozen=True)
class FoundKey:
    """What an API key gives its holder."""

    workspace_id: str
    id: str
    name: str
    role: Role
    kind: UserKind
    created_at: datetime
    expires_at: datetime | None
    is_revoked: bool


@dataclass(frozen=True)
class FoundLink:
    """What a share link gives its holder."""

    workspace_id: str
    id: str
    document_id: str
    role: Role
    expires_at: datetime | None
    is_revoked: bool


async def keys(database: Database, digests: Sequence[str]) -> Mapping[str, FoundKey | None]:
    """Read the API keys with these digests; None: there is none. Raises `DatabaseUnavailable`."""
    wanted = select(
        ApiKey.digest,
        ApiKey.workspace_id,
        ApiKey.id,
        ApiKey.name,
        ApiKey.role,
        ApiKey.kind,
        ApiKey.created_at,
        ApiKey.expires_at,
        ApiKey.revoked_at.is_not(None).label("is_revoked"),
    ).where(any_of(ApiKey.digest, digests))
    found: dict[str, FoundKey | None] = dict.fromkeys(digests)
    for row in await _rows(database, wanted):
        digest = row.pop("digest")
        found[digest] = FoundKey(**row | {"role": Role(row["role"]), "kind": UserKind(row["kind"])})
    return found


async def links(database: Database, digests: Sequence[str]) -> Mapping[str, FoundLink | None]:
    """Read the share links with these digests; None: there is none. Raises `DatabaseUnavailable`."""
    wanted = select(
        ShareLink.digest,
        ShareLink.workspace_id,
        ShareLink.id,
        ShareLink.document_id,
        ShareLink.role,
        ShareLink.expires_at,
        ShareLink.revoked_at.is_not(None).label("is_revoked"),
    ).where(any_of(ShareLink.digest, digests))
    found: dict[str, FoundLink | None] = dict.fromkeys(digests)
    for row in await _rows(database, wanted):
        digest = row.pop("digest")
        found[digest] = FoundLink(**row | {"role": Role(row["role"])})
    return found


async def mark_used(database: Database, workspace_id: str, key_id: str) -> None:
    """Record that an API key is in use, unless that was recorded in the last two minutes.

    Raises `DatabaseUnavailable`.
    """
    used = (
        update(ApiKey)
        .where(ApiKey.workspace_id == workspace_id, ApiKey.id == key_id)
        .where(ApiKey.last_used_at.is_(None) | (ApiKey.last_used_at < minutes_ago()))
        .values(last_used_at=utcnow())
        .execution_options(synchronize_session=False)
    )
    await database.transact(lambda session: session.execute(used), repeatable=True)


async def _rows(database: Database, wanted: Any) -> Iterable[dict[str, Any]]:
    async with database.read() as session:
        return [dict(row._mapping) for row in await session.execute(wanted)]
