"""Schema revisions: the one a database has, the ones this code can serve, and the upgrade to the one it needs."""

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

from db.connection import encoding, errors
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable

_MIGRATIONS = Path(__file__).parent

LOCK_TIMEOUT_MS = 200
"""How long a migration waits for a table lock in one attempt. Later statements on the table queue behind it meanwhile.

Far less than the second after which PostgreSQL checks for deadlocks: a transaction that reads the tables in another
order can deadlock with the migration, and the migration must be the one to give way.
"""

LOCK_RETRY_INTERVAL_S = 0.5
"""The average pause between two lock attempts, in which other transactions proceed."""

LOCK_RETRY_TIMEOUT_S = 60.0
"""How long a migration keeps retrying for a lock."""


class UpgradeFailed(Exception):
    """The schema cannot be upgraded, and is unchanged. The text is the reason, in one line."""


@dataclass(frozen=True)
class Revisions:
    """The schema revision of a database (None: no schema yet), and the one that this code needs."""

    present: str | None
    needed: str
    compatible_from: str | None = None
    """The oldest revision whose code can serve the present schema, as recorded by a newer version.

    It is read only if the present revision is unknown.
    """

    @property
    def is_current(self) -> bool:
        """Whether the database has the schema that this code needs."""
        return self.present == self.needed

    @property
    def is_compatible(self) -> bool:
        """Whether this code can serve the database: its schema is the same, or a newer one that only adds to it."""
        return self.is_current or (not self.known and self.compatible_from in _history())

    @property
    def known(self) -> bool:
        """Whether this code can upgrade the present schema."""
        return self.present is None or self.present in _history()

    @property
    def mismatch(self) -> str:
        """Why this code cannot serve the database, and what to do, in one line."""
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


async def upgrade(database: Database, *, lock_retry_timeout: float = LOCK_RETRY_TIMEOUT_S) -> Revisions:
    """Upgrade a database to the schema that this code needs, in one transaction. Return the revisions before.

    A newer schema that this code can serve is left as it is. Other transactions proceed meanwhile: the migration waits
    for locks in short attempts, `lock_retry_timeout` seconds in all.

    Raises `UpgradeFailed` for a newer schema, foreign tables, an encoding other than UTF-8, or a lock that is not
    released; or `DatabaseUnavailable`.
    """
    if unfit := await encoding.unfit(database):
        raise UpgradeFailed(unfit)
    before = await read(database)
    if not before.known:
        if before.is_compatible:
            return before
        raise UpgradeFailed(before.mismatch)
    deadline = time.monotonic() + lock_retry_timeout
    while True:
        try:
            await database.run(_upgrade)
        except DBAPIError as error:
            raise UpgradeFailed(f"The schema cannot be upgraded: {error.orig}") from error
        except DatabaseUnavailable as error:
            if not errors.is_lock_denied(error.__cause__):
                raise
            if time.monotonic() >= deadline:
                raise UpgradeFailed(
                    f"The schema cannot be upgraded: {error}. Another session holds a lock for too long, "
                    "such as a long transaction or a backup. Try again when it has ended."
                ) from error
            # Transactions that queued behind the migration go first.
            await asyncio.sleep(random.uniform(0.5, 1.5) * LOCK_RETRY_INTERVAL_S)  # noqa: S311 - jitter, not a secret
        else:
            return before


def needed() -> str:
    """Return the revision that this code needs."""
    return _history()[-1]


@cache
def _history() -> tuple[str, ...]:
    """Return all revisions that this code knows, the one it needs last."""
    # Cached per process: the running code needs its own revision, even if newer files are installed meanwhile.
    return tuple(script.revision for script in _scripts())


def _read(connection: Connection) -> Revisions:
    present = MigrationContext.configure(connection).get_current_revision()
    found = Revisions(present, needed())
    return found if found.known else Revisions(present, found.needed, _noted(connection))


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # One migration at a time, without a lock timeout. This advisory lock guards nothing but the schema.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('marginalia.migrate'))"))
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    _note(connection, _compatible_from())


def _compatible_from() -> str:
    """Return the oldest revision whose code can serve the upgraded schema: the newest that any migration requires."""
    scripts = list(_scripts())
    places = {script.revision: place for place, script in enumerate(scripts)}
    declared: list[str] = [script.module.compatible_from for script in scripts]
    return max(declared, key=places.__getitem__)


def _note(connection: Connection, compatible_from: str) -> None:
    """Record it beside the revision, for servers that do not know the newer migrations."""
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
    """Return the migrations, oldest first."""
    return list(reversed(list(ScriptDirectory.from_config(_config()).walk_revisions())))
