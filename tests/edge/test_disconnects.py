"""Clients that leave before they are answered: a query ends with them, a mutation does not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from db.connection.database import Database
from tests.edge.sockets import SECONDS
from tests.support.processes import Server, running_process

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def server(database_url: str) -> Any:
    with running_process(database_url, lock_timeout=60, query_seconds=120) as running:
        yield running


@asynccontextmanager
async def asking(server: Server, query: str, **headers: str) -> AsyncIterator[asyncio.StreamReader]:
    """Send an operation over a connection of its own, and close it at the end of the block, answered or not."""
    to, body = urlsplit(server.address), json.dumps({"query": query}).encode()
    reader, writer = await asyncio.open_connection(to.hostname, to.port)
    fields = {"Host": to.netloc, "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"POST /graphql HTTP/1.1\r\n{head}\r\n".encode() + body)
    yield reader
    writer.transport.abort()


async def until_waiting(database: Database, count: int) -> None:
    """Wait until so many statements wait for a lock."""
    async with asyncio.timeout(SECONDS):
        while await value(database, WAITING) != count:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


async def value(database: Database, statement: str) -> Any:
    async with database.read() as session:
        return await session.scalar(text(statement))


async def line_of(server: Server, name: str) -> dict[str, Any]:
    """Wait for the line of the log about an operation."""
    async with asyncio.timeout(SECONDS):
        while True:
            for line in server.log.splitlines(keepends=True):
                if line.endswith("\n") and (told := json.loads(line)).get("operation") == name:
                    return dict(told)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_query_ends_with_its_client(server: Server, database: Database, accept: str) -> None:
    async with database.begin() as session:
        await session.execute(text("LOCK TABLE documents IN ACCESS EXCLUSIVE MODE"))
        async with asking(server, "query Left { documents { edges { node { title } } } }", Accept=accept):
            await until_waiting(database, 1)
        line = await line_of(server, "Left")
        await until_waiting(database, 0)

    assert (line["outcome"], line["kind"]) == ("cancelled", "query")
    async with asking(server, "query Next { documents { edges { node { title } } } }") as reader:
        assert await reader.readuntil(b"\n") == b"HTTP/1.1 200 OK\r\n"


async def test_a_query_whose_client_waits_is_answered_however_long_it_takes(server: Server, database: Database) -> None:
    async with asking(server, "query Slow { documents { edges { node { title } } } }") as reader:
        async with database.begin() as session:
            await session.execute(text("LOCK TABLE documents IN ACCESS EXCLUSIVE MODE"))
            async with asking(server, "query Slow { documents { edges { node { title } } } }") as slow:
                await until_waiting(database, 1)
                await asyncio.sleep(0.5)  # it is watched by now
                await session.rollback()
                assert await slow.readuntil(b"\n") == b"HTTP/1.1 200 OK\r\n"
        assert await reader.readuntil(b"\n") == b"HTTP/1.1 200 OK\r\n"


async def test_a_mutation_runs_to_its_end_without_its_client(server: Server, database: Database) -> None:
    async with database.begin() as session:
        await session.execute(text("LOCK TABLE documents IN ACCESS EXCLUSIVE MODE"))
        async with asking(server, 'mutation Left { createDocument(title: "Kept") { __typename } }'):
            await until_waiting(database, 1)
            await asyncio.sleep(0.3)  # longer than it takes until a query would be watched

    assert (await line_of(server, "Left"))["outcome"] == "ok"
    assert await value(database, "SELECT count(*) FROM documents WHERE title = 'Kept'") == 1
