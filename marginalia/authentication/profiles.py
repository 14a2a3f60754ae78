"""Profiles: the names and avatars in tokens, remembered as they change."""

import time
from datetime import UTC, datetime

import structlog

from db import users
from db.connection import deadlines
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.models import UserKind
from db.users import Profile
from marginalia.authentication.bounded import Bounded

STORE_TIMEOUT_S = 1.0
"""How long the first request of a user waits until its profile is stored."""

RETRY_INTERVAL_S = 5.0
"""How long after a failure no profile is stored."""

_BEGINNING = datetime.min.replace(tzinfo=UTC)

_log = structlog.stdlib.get_logger("marginalia.authentication")


class Profiles:
    """The profiles that this process has stored, or found stored."""

    def __init__(self, database: Database, most: int = 50_000) -> None:
        self._database = database
        self._known: Bounded[tuple[str, str], Profile] = Bounded(most)
        self._paused_until = 0.0

    def knows(self, profile: Profile) -> bool:
        """Whether there is nothing to store."""
        known = self._known.get((profile.workspace_id, profile.user_id))
        if known is None:
            return False
        if known is profile or profile.named_at is None:
            return True
        named_at = known.named_at or _BEGINNING
        if _shown(profile) == _shown(known):
            # A newer token is worth a look at what other processes have stored; a guest has no token of their own.
            return profile.named_at <= named_at or profile.kind is UserKind.GUEST
        return profile.named_at < named_at

    async def remember(self, profile: Profile) -> None:
        """Store a profile if it is news. A failure is logged: it must not fail the request."""
        if self.knows(profile) or time.monotonic() < self._paused_until:
            return
        try:
            with deadlines.deadline(STORE_TIMEOUT_S):
                await users.remember(self._database, profile)
        except DatabaseUnavailable as error:
            self._pause()
            _log.warning("The profile of a user cannot be stored: %s", error)
        except Exception:
            self._pause()
            _log.exception("The profile of a user cannot be stored")
        else:
            self._known.put((profile.workspace_id, profile.user_id), profile)

    def _pause(self) -> None:
        self._paused_until = time.monotonic() + RETRY_INTERVAL_S


def _shown(profile: Profile) -> tuple[str, str, str | None]:
    return profile.kind, profile.name, profile.avatar_url
