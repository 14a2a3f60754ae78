"""Connections that die without a word: nobody waits for them for ever, and the next ones are new."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from db.anchors import AnchorLoader
from db.connection import retry
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.reading.coalescing import MAX_IN_FLIGHT
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from tests.support.proxy import Proxy

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

SELECT = text("SELECT 1")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_TIMEOUT_S", "STATEMENT_TIMEOUT_S", "CLOSE_TIMEOUT_S"):
        monkeypatch.setattr(retry, name, 1.0)


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(database_url).listening() as listening:
        yield listening


async def test_reads_over_dead_connections_are_given_up_and_the_next_ones_work(proxy: Proxy) -> None:
    database = Database(proxy.url, lock_timeout=0.5)
    anchors = AnchorLoader(database)

    async def read() -> None:
        assert (await Store(database, LOCAL_OWNER, anchors).anchor("doc_a", "sec_a")).document is None

    async def read_apart() -> None:
        async with database.read() as session:
            await session.execute(SELECT)

    async with asyncio.timeout(30):
        await asyncio.gather(*(read_apart() for _ in range(4)))
        proxy.silence()
        given_up = await asyncio.gather(*(read() for _ in range(MAX_IN_FLIGHT)), return_exceptions=True)
        assert {type(error) for error in given_up} == {DatabaseUnavailable}
        # All that were made before went with the first that did not answer.
        await asyncio.gather(read(), read_apart(), read_apart(), read_apart())
        await database.close()


async def test_writes_over_dead_connections_are_given_up_too(proxy: Proxy) -> None:
    database = Database(proxy.url, lock_timeout=0.5)

    async with asyncio.timeout(30):
        await database.transact(lambda session: session.execute(SELECT))
        proxy.silence()
        with pytest.raises(DatabaseUnavailable):
            await database.transact(lambda session: session.execute(SELECT))
        await database.transact(lambda session: session.execute(SELECT))
        await database.close()


async def test_a_database_whose_connections_are_dead_can_be_closed(proxy: Proxy) -> None:
    database = Database(proxy.url, lock_timeout=20)

    async with asyncio.timeout(30):
        for use in (database.read, database.begin):
            async with use() as session:
                await session.execute(SELECT)
        proxy.silence()
        writing = asyncio.create_task(database.transact(lambda session: session.execute(SELECT)))
        await asyncio.sleep(0.1)
        await database.close()
        writing.cancel()


async def test_tools_take_as_long_as_they_take(proxy: Proxy) -> None:
    database = Database(proxy.url, lock_timeout=0.1)
    await database.run(lambda connection: connection.execute(text("SELECT pg_sleep(1.5)")))
    await database.close()
