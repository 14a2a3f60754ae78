"""API keys: the secrets of backends, which act for themselves or for a user of their workspace."""

import re
import time
from datetime import datetime

import structlog

from db import credential_lookups
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.credential_lookups import FoundKey
from db.credentials import digest as credentials_digest
from db.models import UserKind
from db.principals import Principal
from db.users import Profile
from marginalia.authentication.background import Background
from marginalia.authentication.bounded import Bounded
from marginalia.authentication.credentials import Credentials
from marginalia.authentication.fresh_lookups import FreshLookups
from marginalia.authentication.session import Session, Unauthenticated

PREFIX = "mg_"

USE_INTERVAL_S = 60.0
"""How often the last use of a busy key is stored, by each process."""

_SECRET = re.compile(r"mg_[A-Za-z0-9_-]{43}")

_log = structlog.stdlib.get_logger("marginalia.authentication")


class ApiKeys:
    """The API keys of all workspaces."""

    def __init__(self, database: Database, background: Background) -> None:
        self._database = database
        self._background = background
        self._found = FreshLookups(lambda digests: credential_lookups.keys(database, digests))
        self._used_at: Bounded[str, float] = Bounded(10_000)

    async def authenticate(self, credentials: Credentials) -> tuple[Session, Profile]:
        """Return the session of a key, and how the user is named.

        Raises `Unauthenticated` and `DatabaseUnavailable`.
        """
        secret = credentials.token or ""
        if not _SECRET.fullmatch(secret):
            raise Unauthenticated("the API key has not the form of one")
        digest = credentials_digest(secret)
        key = await self._found.find(digest)
        if key is None:
            raise Unauthenticated("there is no such API key")
        if key.is_revoked:
            raise Unauthenticated("the API key is revoked")
        principal, profile = _acting(key, credentials.user_id)

        async def is_valid() -> bool:
            now = await self._found.find(digest)
            return now is not None and not now.is_revoked

        session = Session(principal, _timestamp(key.expires_at), is_valid)
        if session.end:
            raise Unauthenticated("the API key has expired")
        self._mark_used(key)
        return session, profile

    def _mark_used(self, key: FoundKey) -> None:
        now = time.monotonic()
        used_at = self._used_at.get(key.id)
        if used_at is None or now - used_at >= USE_INTERVAL_S:
            self._used_at.put(key.id, now)
            self._background.run(self._store_use(key))

    async def _store_use(self, key: FoundKey) -> None:
        try:
            await credential_lookups.mark_used(self._database, key.workspace_id, key.id)
        except DatabaseUnavailable as error:
            _log.warning("The last use of an API key cannot be stored: %s", error, key=key.id)
        except Exception:
            _log.exception("The last use of an API key cannot be stored", key=key.id)


def _acting(key: FoundKey, user_id: str | None) -> tuple[Principal, Profile]:
    if user_id is None:
        principal = Principal(key.id, key.workspace_id, key.role, key.kind)
        return principal, Profile(key.workspace_id, key.id, key.kind, key.name, None, key.created_at)
    # The backend says who, not how they are called: a user who is known keeps their name.
    profile = Profile(key.workspace_id, user_id, UserKind.PERSON, user_id)
    return Principal(user_id, key.workspace_id, key.role, UserKind.PERSON, key_id=key.id), profile


def _timestamp(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
