"""The file of an SQLite database, taken away or replaced under a server: nothing is acknowledged into what is gone."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from db.connection.database import Database
from tests.checkers.faults.load import READ, UNAVAILABLE, first_message, until_ready
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import ensure, post
from tests.support.processes import running_process

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def anchor(database: Database) -> tuple[str, str]:
    document = await factories.document(database)
    return document.id, (await factories.section(database, document)).id


@pytest.fixture
def file(database: Database) -> Path:
    return Path(str(database.url.database))


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[Client]:
    with running_process(url) as server:
        async with httpx.AsyncClient(base_url=server.address, timeout=40) as http:
            yield Client(http)


def files(file: Path) -> list[Path]:
    """Return the file with those that SQLite keeps beside it."""
    return [each for end in ("", "-wal", "-shm") if (each := file.with_name(file.name + end)).exists()]


async def texts(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(text("SELECT content FROM messages ORDER BY seq")))


async def test_a_file_that_is_moved_away_is_missed_and_served_again_when_it_is_back(
    database: Database, database_url: str, anchor: tuple[str, str], file: Path
) -> None:
    async with serving(database_url) as client:
        chat_id = await first_message(client, anchor)
        await database.close()
        away = file.parent / "away"
        away.mkdir()
        for each in files(file):
            shutil.move(each, away)
        for number in range(5):
            assert (await post(client, chat_id, "Lost?", str(number)))["__typename"] == UNAVAILABLE
            (error,) = (await client.result(READ, id=chat_id))["errors"]
            assert error["extensions"]["code"] == "TEMPORARILY_UNAVAILABLE"
        answer = await client.http.get("/readyz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "The database cannot be reached.")
        assert (await client.http.get("/livez")).status_code == 200
        assert not files(file), "no empty one is made in its place"
        for each in away.iterdir():
            shutil.move(each, file.parent)
        await until_ready(client.http)
        assert (await post(client, chat_id, "Kept", "kept"))["__typename"] == "PostMessageSuccess"
    assert await texts(database) == ["The first", "Kept"]


async def test_what_is_put_in_the_place_of_a_file_is_served_from_then_on(
    database: Database, database_url: str, anchor: tuple[str, str], file: Path
) -> None:
    """As by who restores a backup and does not stop the server first."""
    async with serving(database_url) as client:
        chat_id = await first_message(client, anchor)
        await database.close()
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(file.with_name("backup"))) as backup:
            source.backup(backup)
        assert (await post(client, chat_id, "After the backup", "after"))["__typename"] == "PostMessageSuccess"
        for each in files(file):
            each.unlink()
        file.with_name("backup").rename(file)
        assert (await ensure(client, *anchor))["ensured"] == "FOUND"
        assert (await client(READ, id=chat_id))["chatSession"] == {"messageCount": 1}
        assert (await post(client, chat_id, "Into the new one", "new"))["postedMessage"]["seq"] == 2
        await until_ready(client.http)
    assert await texts(database) == ["The first", "Into the new one"]


async def test_a_server_lives_while_its_file_is_locked_at_the_start(serve: Serve, file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        async with serve(lock_timeout=0.5) as client:
            assert (await client.http.get("/livez")).status_code == 200
            assert (await client.http.get("/readyz")).status_code == 503
            other.close()
            await until_ready(client.http)
