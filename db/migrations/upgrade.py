"""Revisions: which schema a database has, which code can serve it, and the way to the one that this code needs."""

import asyncio
import random
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from db import encoding
from db.connection import errors
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable

_MIGRATIONS = Path(__file__).parent

LOCK_TIMEOUT_MS = 200
"""How long a migration waits for a lock on a table at once: whoever comes after it waits behind it for as long.

Far less than the second after which PostgreSQL looks for deadlocks: whoever reads the tables in another order than they
are altered waits in a circle with it, and it is the migration that has to give way.
"""

LOCK_PAUSE = 0.5
"""About how many seconds others have to themselves before it is tried again."""

LOCK_PATIENCE = 60.0
"""For how many seconds a migration is tried again that could not have a lock, with pauses in which others go on."""


class UpgradeFailed(Exception):
    """The schema cannot be brought up to date, and is as it was; the text says why in one line."""


@dataclass(frozen=True)
class Revisions:
    """The schema that a database has (None: no schema yet), and the one that this code needs."""

    present: str | None
    needed: str
    compatible_from: str | None = None
    """The oldest schema whose code can serve the present one, as a newer version has noted it; read only of those."""

    @property
    def is_current(self) -> bool:
        """Whether the database has the schema that this code was written for."""
        return self.present == self.needed

    @property
    def is_compatible(self) -> bool:
        """Whether this code can serve the database: one of its own schema, or of a newer one that only adds to it."""
        return self.is_current or (not self.known and self.compatible_from in _history())

    @property
    def known(self) -> bool:
        """Whether this code knows the way from the present schema to the one it needs."""
        return self.present is None or self.present in _history()

    @property
    def mismatch(self) -> str:
        """Why this code cannot serve the database, in a line that says what to do."""
        if self.known:
            return (
                f"The database has schema {self.present or 'none'}, this version needs {self.needed}. "
                "Run: python -m marginalia migrate"
            )
        since = "" if self.compatible_from is None else f" It can be served from schema {self.compatible_from} on."
        return (
            f"The database has schema {self.present}, made by a newer version than this one, which has {self.needed}."
            f"{since} Use the newer version."
        )


async def read(database: Database) -> Revisions:
    """Read the revisions of a database. Raises `DatabaseUnavailable`."""
    async with database.read() as session:
        connection = await session.connection()
        return await connection.run_sync(_read)


async def upgrade(database: Database, *, lock_patience: float = LOCK_PATIENCE) -> Revisions:
    """Bring a database to the schema that this code needs, in one transaction; return what there was before.

    One that is newer, and can be served all the same, is left as it is. Others go on with their work meanwhile: a lock
    that cannot be had soon is waited for in short stretches, `lock_patience` seconds in all.

    Raises `UpgradeFailed`, where a newer version, somebody else's tables, another encoding than UTF-8 or a lock are in
    the way, or `DatabaseUnavailable`.
    """
    if unfit := await encoding.unfit(database):
        raise UpgradeFailed(unfit)
    before = await read(database)
    if not before.known:
        if before.is_compatible:
            return before
        raise UpgradeFailed(before.mismatch)
    deadline = time.monotonic() + lock_patience
    while True:
        try:
            await database.run(_upgrade)
        except DBAPIError as error:
            raise UpgradeFailed(f"The schema cannot be brought up to date: {error.orig}") from error
        except DatabaseUnavailable as error:
            if not errors.is_lock_denied(error.__cause__):
                raise
            if time.monotonic() >= deadline:
                raise UpgradeFailed(
                    f"The schema cannot be brought up to date: {error}. Somebody holds a lock for too long, "
                    "as a long transaction or a backup does; try again when it has ended."
                ) from error
            # Those who have queued behind it go first.
            await asyncio.sleep(random.uniform(0.5, 1.5) * LOCK_PAUSE)  # noqa: S311 - jitter, not a secret
        else:
            return before


def needed() -> str:
    """Return the schema that this code needs."""
    return _history()[-1]


@cache
def _history() -> tuple[str, ...]:
    """Return all schemas that this code knows, the one that it needs last."""
    # Once for a process: what it needs is what its code was written for, whatever is put beside it meanwhile.
    return tuple(script.revision for script in _scripts())


def _read(connection: Connection) -> Revisions:
    present = MigrationContext.configure(connection).get_current_revision()
    found = Revisions(present, needed())
    return found if found.known else Revisions(present, found.needed, _noted(connection))


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # One migration at a time, and as long as it takes. Its own schema is the only thing this lock guards.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('marginalia.migrate'))"))
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    _note(connection, _compatible_from())


def _compatible_from() -> str:
    """Return the oldest schema whose code can serve what all migrations make: none of them may ask for a newer one."""
    scripts = list(_scripts())
    places = {script.revision: place for place, script in enumerate(scripts)}
    declared: list[str] = [script.module.compatible_from for script in scripts]
    return max(declared, key=places.__getitem__)


def _note(connection: Connection, compatible_from: str) -> None:
    """Note it beside the revision, for servers that do not know the migrations which made the schema."""
    if not _has_note(connection):
        connection.execute(text("ALTER TABLE alembic_version ADD COLUMN compatible_from VARCHAR(32)"))
    if _noted(connection) != compatible_from:
        connection.execute(text("UPDATE alembic_version SET compatible_from = :it"), {"it": compatible_from})


def _noted(connection: Connection) -> str | None:
    if not _has_note(connection):
        return None
    found: str | None = connection.scalar(text("SELECT compatible_from FROM alembic_version"))
    return found


def _has_note(connection: Connection) -> bool:
    return any(column["name"] == "compatible_from" for column in inspect(connection).get_columns("alembic_version"))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> list[Script]:
    """Return the migrations, the oldest first."""
    return list(reversed(list(ScriptDirectory.from_config(_config()).walk_revisions())))
