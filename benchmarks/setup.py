"""The setup of the benchmarks: a PostgreSQL and an SQLite database with the same data."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import data
from tests.support import postgres, processes

CONNECTIONS = 300
"""The number of connections that PostgreSQL accepts: all servers run at once, each with its pools."""


@dataclass(frozen=True)
class Setup:
    """The URLs of two databases with the same data."""

    database_url: str
    sqlite_url: str


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server: the one that is given to the tests, or one of our own."""
    if "MARGINALIA_TEST_POSTGRES_URL" in os.environ:
        with postgres.server() as given:
            yield given
        return
    with postgres.own() as own:
        # The disk is not measured, and nothing else may work in the middle of a round.
        for setting in (f"max_connections = {CONNECTIONS}", "fsync = off", "autovacuum = off"):
            postgres.execute(own.url, f"ALTER SYSTEM SET {setting}")
        own.stop()
        own.start()
        yield own.url


@contextmanager
def prepared(server_url: str) -> Iterator[Setup]:
    """Create the databases and fill them."""
    with postgres.database(server_url) as url, tempfile.TemporaryDirectory(prefix="marginalia-benchmark-") as folder:
        setup = Setup(url, f"sqlite:///{folder}/marginalia.db")
        for each in (setup.database_url, setup.sqlite_url):
            migrated = processes.run("migrate", "--database", each)
            if migrated.returncode:
                raise RuntimeError(migrated.stderr)
            data.fill(each)
        yield setup
