"""The owner of a workspace, as whom a command acts."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from db import workspaces
from db.connection.database import Database
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from marginalia.cli.database import with_database
from marginalia.cli.failure import fail
from marginalia.cli.options import database_settings
from marginalia.startup import NotReady
from services.outcomes import Outcome

T = TypeVar("T")


def as_owner(database: str | None, workspace_id: str, work: Callable[[Store], Awaitable[T | Outcome]]) -> T:
    """Run `work` as the owner of a workspace. Ends the command with one line if the outcome is an expected failure."""

    async def run(opened: Database) -> T | Outcome:
        if not await workspaces.exists(opened, workspace_id):
            raise NotReady(f"The workspace {workspace_id} does not exist.")
        return await work(Store(opened, replace(LOCAL_OWNER, workspace_id=workspace_id)))

    # A file that would be made now has nothing in it.
    result = with_database(database_settings(database), run, made=False)
    if isinstance(result, Outcome):
        fail(f"{getattr(result, 'message', result)}.")
    return result


def expiry(days: float | None) -> datetime | None:
    """Return the time that many days from now; None: never."""
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


def status(expires_at: datetime | None, revoked_at: datetime | None) -> str:
    """Say in a word or two whether a secret is good."""
    if revoked_at is not None:
        return f"revoked {revoked_at:%Y-%m-%d %H:%M}"
    if expires_at is None:
        return "never expires"
    return f"{'expired' if expires_at <= datetime.now(UTC) else 'expires'} {expires_at:%Y-%m-%d %H:%M}"
