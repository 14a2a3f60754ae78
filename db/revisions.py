"""Revisions: which schema a database has, which one this code needs, and the way from one to the other."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db import encoding
from db.database import Database

_MIGRATIONS = Path(__file__).with_name("migrations")


class UpgradeFailed(Exception):
    """The schema cannot be brought up to date, and is as it was; the text says why in one line."""


@dataclass(frozen=True)
class Revisions:
    """The schema that a database has (None: no schema yet), and the one that this code needs."""

    present: str | None
    needed: str

    @property
    def agree(self) -> bool:
        """Tell whether the database can be served."""
        return self.present == self.needed

    @property
    def known(self) -> bool:
        """Tell whether this code knows the way from the present schema to the one it needs."""
        try:
            return self.present is None or _script().get_revision(self.present) is not None
        except CommandError:
            return False


async def read(database: Database) -> Revisions:
    """Read the revisions of a database. Raises `Unavailable`."""
    async with database.read() as session:
        connection = await session.connection()
        present = await connection.run_sync(lambda plain: MigrationContext.configure(plain).get_current_revision())
    return Revisions(present, _head())


async def upgrade(database: Database) -> Revisions:
    """Bring a database to the schema that this code needs, in one transaction; return what there was before.

    Raises `UpgradeFailed`, where a newer version, somebody else's tables or another encoding than UTF-8 are in the way,
    or `Unavailable`.
    """
    if unfit := await encoding.unfit(database):
        raise UpgradeFailed(unfit)
    before = await read(database)
    if not before.known:
        raise UpgradeFailed(f"The database has schema {before.present}, made by a newer version than this one.")
    try:
        await database.run(_upgrade)
    except DBAPIError as error:
        raise UpgradeFailed(f"The schema cannot be brought up to date: {error.orig}") from error
    return before


@cache
def _head() -> str:
    # Once for a process: what it needs is what its code was written for, whatever is put beside it meanwhile.
    return str(_script().get_current_head())


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # One migration at a time, and as long as it takes. Its own schema is the only thing this lock guards.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('marginalia.migrate'))"))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
