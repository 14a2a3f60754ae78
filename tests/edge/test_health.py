"""Health: what a supervisor is told while all is well, and while it is not."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from db.connection.database import Database
from db.migrations import upgrade
from tests.checkers.faults.load import until_ready
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.edge.fields import World, make_world
from tests.edge.outages import ended, execute, gone, standing_by
from tests.support import databases, postgres
from tests.support.client import Served
from tests.support.concurrent_callers import ensure, post
from tests.support.counting import counted
from tests.support.databases import user
from tests.support.proxy import Proxy

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def readiness(client: Served) -> httpx.Response:
    """Ask whether the server is ready; that it lives is true at any time."""
    assert (await client.http.get("/livez")).status_code == 200
    return await client.http.get("/readyz")


async def test_a_server_that_is_ready_says_on_what(client: Served) -> None:
    response = await readiness(client)

    assert response.status_code == 200
    version = await client.database.version()
    state = {"engine": client.database.dialect, "version": version, "schema": upgrade.needed()}
    assert response.json() == {"ready": True, "database": state}


async def test_without_its_schema_a_server_is_not_ready(client: Served, database: Database) -> None:
    await execute(database, "ALTER TABLE alembic_version RENAME TO hidden")

    response = await readiness(client)

    assert response.status_code == 503
    assert response.json()["ready"] is False
    assert response.json()["database"]["schema"] is None

    await execute(database, "ALTER TABLE hidden RENAME TO alembic_version")
    assert (await readiness(client)).status_code == 200


async def test_with_a_newer_schema_that_asks_for_newer_code_a_server_is_not_ready(
    client: Served, database: Database
) -> None:
    await execute(database, "UPDATE alembic_version SET version_num = '9999', compatible_from = '9999'")

    response = await readiness(client)

    assert response.status_code == 503
    assert response.json()["database"]["schema"] == "9999"


async def test_without_its_database_a_server_is_not_ready_until_it_is_back(
    client: Served, postgres_server: str, log: Log
) -> None:
    async with gone(client.database, postgres_server):
        response = await readiness(client)

    assert response.status_code == 503
    assert response.json() == {"ready": False, "reason": "The database cannot be reached."}
    assert (await readiness(client)).status_code == 200
    assert log.complaints() == []


@on_postgresql
async def test_a_server_whose_database_takes_no_writes_is_not_ready_until_it_does(
    client: Served, postgres_server: str, world: World, log: Log
) -> None:
    anchor = world.document, world.section
    assert (await readiness(client)).status_code == 200

    async with standing_by(client.database, postgres_server):
        # Those whose connection has gone are told so; the next ones see what has become of it.
        for _ in range(3):
            told = await post(client, world.chat, "A text", "a-post")
        assert told["__typename"] == "TemporarilyUnavailable"
        response = await readiness(client)
        assert response.status_code == 503
        assert response.json()["reason"] == "The database accepts no writes; reads are served."
        assert (await ensure(client, *anchor))["ensured"] == "FOUND"

    for _ in range(3):
        told = await post(client, world.chat, "A text", "a-post")
    assert told["__typename"] == "PostMessageSuccess"
    assert (await readiness(client)).status_code == 200
    assert [line for line in log.complaints() if line["level"] != "warning"] == []


async def test_while_all_is_well_who_asks_writes_nothing(client: Served) -> None:
    async with asyncio.timeout(20):
        # Its first write may take longer than it is waited for.
        while (await readiness(client)).status_code != 200:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.05)
    with counted(client.database) as statements:
        await readiness(client)
    assert all(statement.startswith(("SELECT", "PRAGMA")) for statement in statements)
    assert statements


async def test_with_a_database_that_makes_no_sense_a_server_is_not_ready_and_logs_why(
    client: Served, database: Database, log: Log
) -> None:
    await execute(database, "ALTER TABLE alembic_version RENAME COLUMN version_num TO hidden")

    response = await readiness(client)

    assert response.status_code == 503
    assert "hidden" not in response.text
    assert "version_num" not in response.text
    (complaint,) = log.complaints()
    assert (complaint["event"], complaint["level"]) == ("not ready", "error")
    assert "version_num" in str(complaint["exception"])

    await execute(database, "ALTER TABLE alembic_version RENAME COLUMN hidden TO version_num")
    assert (await readiness(client)).status_code == 200


@on_postgresql
async def test_connections_that_died_without_a_word_are_replaced(serve: Serve, database_url: str) -> None:
    async with Proxy(database_url).listening() as proxy, serve(database_url=proxy.url) as client:
        many = "{ " + " ".join(f"a{n}: documents(first: 1) {{ edges {{ cursor }} }}" for n in range(10)) + " }"
        await client(many)  # each by a connection of its own
        assert (await readiness(client)).status_code == 200
        proxy.silence()
        assert (await client.http.get("/readyz")).status_code == 503
        await until_ready(client.http)
        await asyncio.gather(*(client("{ documents(first: 1) { edges { cursor } } }") for _ in range(10)))


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with databases.empty(request, "postgresql", tmp_path) as url:
        yield url


@on_postgresql
async def test_a_server_starts_on_what_is_not_right_yet_and_waits(serve: Serve, empty_url: str) -> None:
    """As a worker that has to be replaced while something is changed: nobody would start it once more."""
    async with serve(database_url=empty_url) as client:
        response = await readiness(client)
        assert response.status_code == 503
        assert "schema" in response.json()["reason"]
        await upgrade.upgrade(client.database)
        await until_ready(client.http)


@on_postgresql
@pytest.mark.parametrize(
    ("taken", "given"),
    [
        ("ALTER DATABASE {name} ALLOW_CONNECTIONS false", "ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
        ("ALTER ROLE {role} NOLOGIN", "ALTER ROLE {role} LOGIN"),
    ],
)
async def test_a_database_that_lets_nobody_in_for_a_while_is_told_as_what_passes(
    serve: Serve, database: Database, database_url: str, postgres_server: str, log: Log, taken: str, given: str
) -> None:
    name = str(database.url.database)
    async with user(database, database_url, "ALL ON ALL TABLES IN SCHEMA public") as theirs:
        role = urlsplit(theirs).username
        async with serve(database_url=theirs) as client:
            world = await make_world(client)
            await until_ready(client.http)
            await postgres.executed(postgres_server, taken.format(name=name, role=role))
            await ended(database, postgres_server)
            try:
                for _ in range(3):
                    told = await post(client, world.chat, "A text", "a-post")
                    assert told["__typename"] == "TemporarilyUnavailable"
                assert (await readiness(client)).status_code == 503
            finally:
                await postgres.executed(postgres_server, given.format(name=name, role=role))
            await until_ready(client.http)
            assert (await post(client, world.chat, "A text", "a-post"))["__typename"] == "PostMessageSuccess"
    assert [line for line in log.complaints() if line["level"] != "warning"] == []


@on_postgresql
async def test_without_the_right_to_write_a_server_is_not_ready(
    serve: Serve, database: Database, database_url: str, log: Log
) -> None:
    rights = "SELECT ON ALL TABLES IN SCHEMA public"
    async with user(database, database_url, rights) as theirs, serve(database_url=theirs) as client:
        for _ in range(2):
            response = await readiness(client)
            assert response.status_code == 503
            assert response.json()["reason"] == "The database accepts no writes; reads are served."
        created = await client('mutation { createDocument(title: "A") { __typename } }')
        assert created["createDocument"]["__typename"] == "TemporarilyUnavailable"
    assert [line for line in log.complaints() if line["level"] != "warning"] == []
