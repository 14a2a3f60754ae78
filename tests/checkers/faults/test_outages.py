"""Outages of PostgreSQL: told as what passes, seen by a supervisor, and over for the server when they are over."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from db import workspaces
from db.connection.database import Database
from db.migrations import upgrade
from tests.checkers.faults.load import READ, RECOVERY, UNAVAILABLE, Load, first_message, until, until_ready
from tests.support import factories, postgres
from tests.support.client import Client
from tests.support.concurrent_callers import ensure
from tests.support.invariants import violations
from tests.support.processes import Server, running_process

_log = logging.getLogger(__name__)

PAUSE = RECOVERY + 1.0
"""For how long a database stands still: for longer than it may take to see that."""


@pytest.fixture(scope="module")
def own() -> Iterator[postgres.Own]:
    """Give a PostgreSQL server that may be taken away."""
    with postgres.own() as server:
        yield server


@pytest.fixture
def database_url(own: postgres.Own) -> Iterator[str]:
    with postgres.database(own.url) as url:
        asyncio.run(_migrate(url))
        yield url


@pytest.fixture
def empty_url(own: postgres.Own) -> Iterator[str]:
    with postgres.database(own.url) as url:
        yield url


@pytest.fixture
async def anchor(database: Database) -> tuple[str, str]:
    document = await factories.document(database)
    return document.id, (await factories.section(database, document)).id


@asynccontextmanager
async def serving(url: str, **settings: object) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    with running_process(url, **settings) as server:
        async with httpx.AsyncClient(base_url=server.address, timeout=40) as http:
            yield server, http


async def test_a_server_starts_without_its_database_and_serves_once_it_is_there(
    own: postgres.Own, database_url: str, database: Database, anchor: tuple[str, str]
) -> None:
    await database.close()
    own.stop()
    try:
        async with serving(database_url) as (server, http):
            assert (await http.get("/livez")).status_code == 200
            unready = await http.get("/readyz")
            assert unready.status_code == 503
            assert unready.json() == {"ready": False, "reason": "The database cannot be reached."}
            assert (await ensure(Client(http), *anchor))["__typename"] == UNAVAILABLE
            (error,) = (await Client(http).result(READ, id="chat_none"))["errors"]
            assert error["extensions"]["code"] == "TEMPORARILY_UNAVAILABLE"

            await asyncio.to_thread(own.start)
            await until_ready(http)
            assert (await ensure(Client(http), *anchor))["ensured"] == "CREATED"
            events = [json.loads(line)["event"] for line in server.log.splitlines()]
        assert "The database can be served" in events
        assert len([event for event in events if event.startswith("The database cannot be reached;")]) == 1
    finally:
        own.start()


async def test_a_server_whose_database_comes_back_without_a_schema_waits_for_one(
    own: postgres.Own, empty_url: str
) -> None:
    own.stop()
    try:
        async with serving(empty_url) as (_, http):

            async def seen() -> bool:
                return "has schema none" in (await http.get("/readyz")).json()["reason"]

            await asyncio.to_thread(own.start)
            await until(seen)
            database = Database(empty_url)
            await upgrade.upgrade(database)
            await database.close()
            await until_ready(http)
    finally:
        own.start()


async def test_a_database_that_is_restarted_under_load_loses_nothing(
    own: postgres.Own, database_url: str, database: Database, anchor: tuple[str, str]
) -> None:
    loop = asyncio.get_running_loop()
    async with serving(database_url, lock_timeout=1) as (_, http):
        load = Load(http, anchor, await first_message(Client(http), anchor))
        async with load.going_on():
            await asyncio.sleep(1)
            await asyncio.to_thread(own.stop)
            stopped = loop.time()
            await asyncio.sleep(1.5)
            assert not load.seen(200, stopped + 0.5)
            assert load.seen(503, stopped)
            await asyncio.to_thread(own.start)
            started = loop.time()
            await asyncio.sleep(1.5)
        assert load.seen(200, started)[0] < RECOVERY
    _log.info("%s; ready again after %.2f s", dict(load.answers), load.seen(200, started)[0])
    assert load.answers[UNAVAILABLE]
    assert load.answers["no reading"]
    await database.close()
    await load.assert_kept(database)
    assert await violations(database) == []


async def test_a_database_that_stands_still_is_not_waited_for(
    own: postgres.Own, database_url: str, database: Database, anchor: tuple[str, str]
) -> None:
    loop = asyncio.get_running_loop()
    await database.close()
    async with serving(database_url, lock_timeout=0.5) as (_, http):
        load = Load(http, anchor, await first_message(Client(http), anchor))
        async with load.going_on():
            await asyncio.sleep(0.5)
            held = loop.time()
            with own.held():
                await asyncio.sleep(PAUSE)
                assert not load.seen(200, held + 0.5)
                assert load.seen(503, held)[0] < RECOVERY
            released = loop.time()
            await until_ready(http)
            await asyncio.sleep(0.5)
    _log.info("%s; ready again after %.2f s", dict(load.answers), load.seen(200, released)[0])
    assert load.answers["no reading"]
    assert load.seen(200, released)[0] < RECOVERY
    await load.assert_kept(database)
    assert await violations(database) == []


async def _migrate(url: str) -> None:
    database = Database(url)
    await upgrade.upgrade(database)
    await workspaces.ensure(database, "local")
    await database.close()
