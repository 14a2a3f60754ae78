"""What we promise of an SQLite file that several make at once: whoever comes second waits for it."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from db.database import Database
from db.faults import Unavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new.db"


@pytest.fixture
def maker(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a new file to somebody who has only begun to make something of it: it is not in WAL mode yet."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def journal_mode(connection: Connection) -> object:
    return connection.scalar(text("PRAGMA journal_mode"))


async def test_who_meets_a_file_that_is_being_made_waits_for_it(path: Path, maker: sqlite3.Connection) -> None:
    patient = Database(f"sqlite:///{path}")
    waiting = asyncio.create_task(patient.run(journal_mode))
    await asyncio.sleep(0.2)  # several stretches of waiting
    assert not waiting.done()
    maker.execute("COMMIT")
    assert await waiting == "wal"
    await patient.close()


async def test_who_waits_for_it_in_vain_is_told_in_time_and_leaves_nothing(
    path: Path, maker: sqlite3.Connection
) -> None:
    impatient = Database(f"sqlite:///{path}", lock_timeout=0.1)
    threads = set(threading.enumerate())
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(Unavailable, match="locked"):
            await impatient.run(journal_mode)
        assert 0.1 <= time.monotonic() - started < 4
    # What is left is at most the loop's own, for what would keep it waiting.
    assert all(thread.name.startswith("asyncio_") for thread in set(threading.enumerate()) - threads)
    maker.execute("COMMIT")
    assert await impatient.run(journal_mode) == "wal"
    await impatient.close()
