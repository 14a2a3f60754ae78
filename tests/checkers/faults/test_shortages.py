"""Shortages of connections, of time, of room on the disk: told as what passes, and over when they are over."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from db.connection.database import Database
from tests.checkers.faults.load import READ, RECOVERY, UNAVAILABLE, first_message, until, until_ready
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import ensure, post, until_waiting
from tests.support.invariants import violations
from tests.support.processes import Server, running_process

LOCK_TIMEOUT_S = 2.0

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def anchor(database: Database) -> tuple[str, str]:
    document = await factories.document(database)
    return document.id, (await factories.section(database, document)).id


def leave_room(server: Server, file: Path, count: int) -> None:
    """Let the files of a server grow by some bytes at most; its log is far smaller than that of the database."""
    room = file.with_name(file.name + "-wal").stat().st_size + count
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))


@asynccontextmanager
async def serving(url: str, **settings: object) -> AsyncIterator[tuple[Server, Client]]:
    with running_process(url, **settings) as server:
        async with httpx.AsyncClient(base_url=server.address, timeout=40) as http:
            yield server, Client(http)


async def kinds_of_posts(client: Client, chat_id: str, count: int) -> set[str]:
    """Post at once, and return what kinds of answers there were."""
    answers = await asyncio.gather(*(post(client, chat_id, "Text", f"at-once-{n}") for n in range(count)))
    return {answer["__typename"] for answer in answers}


async def unready(client: Client) -> str:
    """Insist that a server lives and is not ready; return why."""
    assert (await client.http.get("/livez")).status_code == 200
    answer = await client.http.get("/readyz")
    assert answer.status_code == 503, answer.text
    return str(answer.json()["reason"])


async def test_without_a_connection_for_writing_reading_goes_on(
    database: Database, database_url: str, anchor: tuple[str, str]
) -> None:
    async with serving(database_url, pool_size=1, lock_timeout=LOCK_TIMEOUT_S) as (_, client):
        chat_id = await first_message(client, anchor)
        await until_ready(client.http)
        async with database.begin() as session:
            await session.execute(text("UPDATE chat_sessions SET updated_at = updated_at"))
            assert await kinds_of_posts(client, chat_id, 1) == {UNAVAILABLE}
            started = time.monotonic()
            waiting = asyncio.create_task(kinds_of_posts(client, chat_id, 12))
            if database.dialect == "postgresql":
                await until_waiting(database)
            assert await unready(client) == "The database accepts no writes; reads are served."
            assert (await ensure(client, *anchor))["ensured"] == "FOUND"
            assert await waiting == {UNAVAILABLE}
            assert time.monotonic() - started < LOCK_TIMEOUT_S + RECOVERY
        await until_ready(client.http)
        assert await kinds_of_posts(client, chat_id, 12) == {"PostMessageSuccess"}
    assert await violations(database) == []


@on_postgresql
async def test_without_a_connection_for_reading_a_server_is_not_ready_but_lives(
    database: Database, database_url: str, anchor: tuple[str, str]
) -> None:
    async with serving(database_url, pool_size=2, lock_timeout=3) as (_, client):
        chat_id = await first_message(client, anchor)
        async with database.begin() as session:
            await session.execute(text("LOCK TABLE chat_sessions IN ACCESS EXCLUSIVE MODE"))
            reading = [asyncio.create_task(client.result(READ, id=chat_id)) for _ in range(6)]
            await until_waiting(database, 2)
            assert await unready(client) == "The database cannot be reached."
            for answer in await asyncio.gather(*reading):
                assert [error["extensions"]["code"] for error in answer["errors"]] == ["TEMPORARILY_UNAVAILABLE"]
        await until_ready(client.http)
        assert (await client(READ, id=chat_id))["chatSession"] == {"messageCount": 1}


@on_postgresql
async def test_a_statement_that_takes_too_long_is_told_as_what_passes(
    serve: Serve, database: Database, database_url: str, anchor: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.connection.retry.STATEMENT_TIMEOUT_S", 1)
    async with serve(lock_timeout=20) as client:
        chat_id = await first_message(client, anchor)
        async with database.begin() as session:
            await session.execute(text("LOCK TABLE chat_sessions IN ACCESS EXCLUSIVE MODE"))
            answers = await asyncio.gather(
                kinds_of_posts(client, chat_id, 3), ensure(client, *anchor), client.result(READ, id=chat_id)
            )
        assert answers[0] == {UNAVAILABLE}
        assert answers[1]["__typename"] == UNAVAILABLE
        assert [error["extensions"]["code"] for error in answers[2]["errors"]] == ["TEMPORARILY_UNAVAILABLE"]
        assert await kinds_of_posts(client, chat_id, 3) == {"PostMessageSuccess"}
        assert (await ensure(client, *anchor))["ensured"] == "FOUND"


@on_sqlite
async def test_without_room_on_the_disk_reading_goes_on_and_nothing_acknowledged_is_lost(
    database: Database, database_url: str, anchor: tuple[str, str]
) -> None:
    file = Path(str(database.url.database))
    async with serving(database_url) as (server, client):
        chat_id = await first_message(client, anchor)
        acknowledged = {"first"}
        await until_ready(client.http)
        leave_room(server, file, 100_000)
        told = set()
        for number in range(40):
            answer = await post(client, chat_id, "A long text. " * 1_000, str(number))
            told.add(answer["__typename"])
            if answer["__typename"] == "PostMessageSuccess":
                acknowledged.add(str(number))
        assert told == {"PostMessageSuccess", UNAVAILABLE}

        async def full() -> bool:
            # A long text that did not fit leaves room for short ones.
            number = len(acknowledged)
            if (await post(client, chat_id, "A text.", f"short-{number}"))["__typename"] == "PostMessageSuccess":
                acknowledged.add(f"short-{number}")
            return (await client.http.get("/readyz")).status_code == 503

        leave_room(server, file, 0)
        await until(full)
        assert await unready(client) == "The database accepts no writes; reads are served."
        short = len([each for each in acknowledged if each.startswith("short")])
        assert (await ensure(client, *anchor))["ensured"] == "FOUND"
        assert (await client(READ, id=chat_id))["chatSession"] == {"messageCount": len(acknowledged)}
        assert await unready(client) == "The database accepts no writes; reads are served."

        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        await until_ready(client.http)
        for number in range(40):
            assert (await post(client, chat_id, "A long text. " * 1_000, str(number)))[
                "__typename"
            ] == "PostMessageSuccess"
        assert (await client(READ, id=chat_id))["chatSession"] == {"messageCount": 41 + short}
    async with database.read() as session:
        stored = set(await session.scalars(text("SELECT client_id FROM messages")))
    assert acknowledged <= stored
    assert await violations(database) == []
