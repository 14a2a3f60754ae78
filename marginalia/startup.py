"""Startup: what a database needs before it can be served."""

from db import revisions, workspaces
from db.database import Database
from db.faults import Unavailable
from marginalia.principals import LOCAL_OWNER


class NotReady(Exception):
    """The database cannot be served; the text is one line for the person who starts the server."""


async def prepare(database: Database) -> None:
    """Bring an SQLite file up to date, check the schema of a PostgreSQL database. Raises `NotReady`."""
    try:
        found = await revisions.read(database)
        if not found.known:
            raise NotReady(f"The database has schema {found.present}, made by a newer version than this one.")
        if not found.agree and database.dialect == "sqlite":
            await revisions.upgrade(database)
        elif not found.agree:
            raise NotReady(
                f"The database has schema {found.present or 'none'}, this version needs {found.needed}. "
                "Run: python -m marginalia migrate"
            )
        await workspaces.ensure(database, LOCAL_OWNER.workspace_id)
    except Unavailable as error:
        raise NotReady(f"The database cannot be reached: {error}") from error
