"""What we promise of a new SQLite file: it is its owner's alone, and of several who make it the second one waits."""

import asyncio
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new.db"


@pytest.fixture
def maker(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a new file to somebody who has only begun to make something of it: it is not in WAL mode yet."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


@pytest.fixture
def open_hearted() -> Iterator[None]:
    """Let this process make files that everybody may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {str(each.relative_to(folder)): stat.filemode(each.stat().st_mode) for each in folder.rglob("*")}


async def write(database: Database) -> None:
    await database.run(lambda connection: connection.execute(text("CREATE TABLE IF NOT EXISTS numbers (number)")))
    async with database.read() as session:
        await session.execute(text("SELECT * FROM numbers"))


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
        with pytest.raises(DatabaseUnavailable, match="locked"):
            await impatient.run(journal_mode)
        assert 0.1 <= time.monotonic() - started < 4
    # What is left is at most the loop's own, for what would keep it waiting.
    assert all(thread.name.startswith("asyncio_") for thread in set(threading.enumerate()) - threads)
    maker.execute("COMMIT")
    assert await impatient.run(journal_mode) == "wal"
    await impatient.close()


@pytest.mark.usefixtures("open_hearted")
async def test_a_new_file_and_its_folders_are_for_their_owner_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/one/two/new.db")
    await write(database)
    assert modes(tmp_path) == {
        "one": "drwx------",
        "one/two": "drwx------",
        "one/two/new.db": "-rw-------",
        "one/two/new.db-wal": "-rw-------",
        "one/two/new.db-shm": "-rw-------",
        "one/two/new.db-inodes": "-rw-------",
    }
    await database.close()
    assert modes(tmp_path).keys() == {"one", "one/two", "one/two/new.db"}


@pytest.mark.usefixtures("open_hearted")
async def test_a_file_behind_a_link_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "new.db")
    database = Database(f"sqlite:///{tmp_path}/link.db")
    await write(database)
    await database.close()
    assert modes(tmp_path)["new.db"] == "-rw-------"


async def test_a_file_and_a_folder_that_are_there_keep_their_rights(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o775)
    (folder / "old.db").touch()
    (folder / "old.db").chmod(0o664)
    database = Database(f"sqlite:///{folder}/old.db")
    await write(database)
    found = modes(tmp_path)
    assert (found["shared"], found["shared/old.db"]) == ("drwxrwxr-x", "-rw-rw-r--")
    assert found["shared/old.db-wal"] == "-rw-rw-r--", "as SQLite has it"
    await database.close()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("a%3Fb.db", "a?b.db"),
        ("a#b.db", "a#b.db"),
        ("100%.db", "100%.db"),
        ("100%25.db", "100%.db"),
        ("ä b.db", "ä b.db"),
    ],
)
async def test_a_file_has_the_name_that_is_written(tmp_path: Path, written: str, name: str) -> None:
    database = Database(f"sqlite:///{tmp_path}/{written}")
    await write(database)
    await database.close()
    assert list(modes(tmp_path)) == [name]
