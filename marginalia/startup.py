"""Startup: preparing the database before it is served, with retries while it is unavailable."""

import asyncio
import contextlib

import structlog

from db import workspaces
from db.connection import encoding, errors
from db.connection.database import Database
from db.connection.errors import ConnectionRejected, DatabaseUnavailable
from db.migrations import upgrade
from marginalia.authentication.local import LOCAL_OWNER

SOUND_SQLITE = (3, 51, 3)
"""Before this version, two connections that write to or checkpoint a file at the same time can damage it."""

RETRY_INTERVAL_S = 0.5
"""The pause before the next attempt while the database cannot be served."""

STARTUP_TIMEOUT_S = 1.0
"""How long startup waits for the database before it serves without it."""

UNREACHABLE = "The database cannot be reached."
UNUSABLE = "The database cannot be used; the log says why."

_log = structlog.stdlib.get_logger("marginalia.startup")


class NotReady(Exception):
    """The database cannot be served. The text is one line for the operator."""


async def check(database: Database) -> None:
    """Check the schema of a database without upgrading it. Raises `NotReady`, or `DatabaseUnavailable`."""
    found = await _revisions(database)
    if not found.is_compatible:
        raise NotReady(found.mismatch)


async def prepare(database: Database) -> None:
    """Upgrade an SQLite file; check the encoding and the schema of a PostgreSQL database.

    Raises `NotReady`, or `DatabaseUnavailable` if a retry may succeed.
    """
    try:
        if unfit := await encoding.unfit(database):
            raise NotReady(unfit)
        found = await _revisions(database)
        if found.known and not found.is_current and database.dialect == "sqlite":
            await upgrade.upgrade(database)
        elif not found.is_compatible:
            raise NotReady(found.mismatch)
        await workspaces.ensure(database, LOCAL_OWNER.workspace_id)
    except upgrade.UpgradeFailed as error:
        raise NotReady(str(error)) from error
    except ConnectionRejected as error:
        raise NotReady(f"The database cannot be reached: {error}") from error


class Preparation:
    """The preparation of a database that may be unavailable or not ready when its server starts."""

    def __init__(self, database: Database) -> None:
        self.missing: str | None = "The database is being prepared."
        """Why the database cannot be served yet. None: it is prepared."""
        self._database = database
        self._tried = asyncio.Event()
        self._trying: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Prepare the database. If that fails, keep retrying in the background."""
        self._trying = asyncio.create_task(self._go_on())
        # Usually the database is prepared before the first request. The timeout lets liveness probes answer early.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STARTUP_TIMEOUT_S):
                await self.tried()

    async def tried(self) -> None:
        """Wait for the end of the first attempt, successful or not."""
        await self._tried.wait()

    async def end(self) -> None:
        """Stop retrying."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.wait([self._trying])

    async def _go_on(self) -> None:
        while (missing := await self._try()) is not None:
            self.missing = missing
            self._tried.set()
            await asyncio.sleep(RETRY_INTERVAL_S)
        if self._tried.is_set():
            _log.info("The database can be served")
        self.missing = None
        self._tried.set()

    async def _try(self) -> str | None:
        """Try once. Return the reason of a failure, and log it if it changed."""
        try:
            await prepare(self._database)
        except DatabaseUnavailable as error:
            if self.missing != UNREACHABLE:
                _log.warning("The database cannot be reached; retrying until it can: %s", error)
            return UNREACHABLE
        except NotReady as error:
            # The process continues: the command line has checked this before, and an operator may be fixing it.
            if self.missing != str(error):
                _log.error("The database cannot be served: %s", error)
            return str(error)
        except Exception:
            if self.missing != UNUSABLE:
                _log.exception("The database cannot be prepared")
            return UNUSABLE
        return None


async def warn_of_many_writers(database: Database, workers: int) -> None:
    """Log a warning if several processes will write to one file that this SQLite version can damage.

    One process is safe with any version: all its writes share one connection.
    """
    version = await database.version()
    if workers > 1 and database.dialect == "sqlite" and tuple(map(int, version.split("."))) < SOUND_SQLITE:
        _log.warning(
            "This SQLite can damage a file that several processes write to. "
            "Serve with one worker, or use a newer SQLite, or PostgreSQL.",
            sqlite=version,
            needed=".".join(map(str, SOUND_SQLITE)),
            workers=workers,
        )


async def _revisions(database: Database) -> upgrade.Revisions:
    try:
        with errors.translate_damage():
            return await upgrade.read(database)
    except errors.DatabaseDamaged as error:
        raise NotReady(f"The schema of the database cannot be read: {error}") from error
