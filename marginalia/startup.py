"""Startup: what a database needs before it can be served."""

import structlog

from db import revisions, workspaces
from db.database import Database
from db.faults import Unavailable
from marginalia.principals import LOCAL_OWNER

SOUND_SQLITE = (3, 51, 3)
"""Before this version, two connections that write to a file or check it in at once can damage it."""

_log = structlog.stdlib.get_logger("marginalia.startup")


class NotReady(Exception):
    """The database cannot be served; the text is one line for the person who starts the server."""


async def check(database: Database) -> None:
    """Check the schema of a database that is only to be looked at. Raises `NotReady`, or `Unavailable`."""
    found = await revisions.read(database)
    if not found.agree:
        raise NotReady(_other_schema(found))


async def prepare(database: Database) -> None:
    """Bring an SQLite file up to date, check the schema of a PostgreSQL database. Raises `NotReady`."""
    try:
        found = await revisions.read(database)
        if not found.agree and (database.dialect == "sqlite" or not found.known):
            await revisions.upgrade(database)
        elif not found.agree:
            raise NotReady(_other_schema(found))
        await workspaces.ensure(database, LOCAL_OWNER.workspace_id)
    except revisions.UpgradeFailed as error:
        raise NotReady(str(error)) from error
    except Unavailable as error:
        raise NotReady(f"The database cannot be reached: {error}") from error


async def warn_of_many_writers(database: Database, workers: int) -> None:
    """Log a warning where several processes are about to write to one file that this SQLite can damage thereby.

    One process is safe with any version: all that it writes goes through one connection.
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


def _other_schema(found: revisions.Revisions) -> str:
    return (
        f"The database has schema {found.present or 'none'}, this version needs {found.needed}. "
        "Run: python -m marginalia migrate"
    )
