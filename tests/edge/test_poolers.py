"""A connection pooler in front of PostgreSQL: what holds without one holds through it, in each of its modes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial

import httpx
import pytest
from sqlalchemy import text

from db.chat_feed import ChatFeed
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from tests.checkers.faults.load import UNAVAILABLE, Load, first_message, until_ready
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.edge.fields import make_world
from tests.support import factories, pgbouncer, postgres
from tests.support.client import Client
from tests.support.concurrent_callers import (
    assert_one_chat,
    ensure,
    ensure_together,
    kinds,
    many_sections,
    post,
    until_waiting,
)
from tests.support.counting import counted
from tests.support.invariants import violations
from tests.support.pgbouncer import PgBouncer
from tests.support.processes import ROOT, run, running_server
from tests.support.proxy import Proxy

SIZES = {"transaction": 4, "session": 40}
"""How many connections to the server a pooler has: in transaction mode far fewer than callers, in session mode each
caller keeps one."""

IGNORED = "lock_timeout,statement_timeout,idle_in_transaction_session_timeout,jit,plan_cache_mode,enable_bitmapscan"
"""All settings that we connect with: a pooler that is told to ignore them lets us in, and forgets them."""

SETTINGS = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'), current_setting('jit')"

SUBMITS = b"SQ"
"""The types of the messages that end a request to the server: Sync, and a simple query."""


def submits(sent: bytes) -> int:
    """Count the requests among what a client sent: messages of a type and a length, which counts itself."""
    count = start = 0
    while start < len(sent):
        count += sent[start] in SUBMITS
        start += 1 + int.from_bytes(sent[start + 1 : start + 5], "big")
    return count


@pytest.fixture(
    scope="module",
    params=[
        ("transaction", ""),
        ("transaction", IGNORED),
        pytest.param(("session", IGNORED), marks=pytest.mark.thorough),
    ],
    ids=lambda param: f"{param[0]}-{'ignoring' if param[1] else 'refusing'}",
)
def pooler(request: pytest.FixtureRequest, postgres_server: str) -> Iterator[PgBouncer]:
    mode, ignored = request.param
    with pgbouncer.running(
        postgres_server, mode, size=SIZES[mode], **({"ignore_startup_parameters": ignored} if ignored else {})
    ) as started:
        yield started


@pytest.fixture
def database_url(postgres_pool: postgres.Pool) -> Iterator[str]:
    # Not one that another test had: its connections were ended, and the pooler may not have noticed yet.
    with postgres_pool.fresh() as url:
        yield url


@pytest.fixture
def pooled_url(pooler: PgBouncer, database_url: str) -> str:
    return pooler.url(database_url)


@pytest.fixture
async def pooled(pooled_url: str) -> AsyncIterator[Database]:
    """Give the database through the pooler; whoever waits for a lock there does not do so for long."""
    opened = Database(pooled_url, lock_timeout=0.3)
    yield opened
    await opened.close()


async def test_sixty_callers_at_once_are_all_answered_with_the_one_chat(
    serve: Serve, pooled_url: str, database: Database, log: Log
) -> None:
    document = await factories.document(database)
    sections = await many_sections(database, document, 3)
    async with serve(database_url=pooled_url) as one, serve(database_url=pooled_url) as other:
        for _ in range(3):
            answers = await ensure_together([one, other], [(document.id, each) for each in sections], times=60)
            assert kinds(answers).total() == 60
            assert not kinds(answers)[UNAVAILABLE], kinds(answers)
        for client in (one, other):
            assert (await client.http.get("/readyz")).status_code == 200
        for section in sections:
            again = [await ensure(client, document.id, section) for client in (one, other)]
            await assert_one_chat(database, section, again)
    assert log.complaints() == []


async def test_writers_and_readers_at_once_meet_no_statement_and_no_setting_of_each_other(
    serve: Serve, pooled_url: str, pooled: Database, database: Database, log: Log
) -> None:
    async with serve(database_url=pooled_url) as client:
        world = await make_world(client)

        async def read() -> None:
            await client("{ documents(first: 3) { edges { node { id title } } } }")

        async def write(number: int) -> None:
            posted = await post(client, world.chat, f"A text {number}", f"{number}")
            assert posted["__typename"] == "PostMessageSuccess"

        await asyncio.gather(*(read() for _ in range(60)), *(write(number) for number in range(60)))
    async with database.read() as session:
        assert await session.scalar(text("SELECT max(seq) = count(*) FROM messages")) is True
    assert log.complaints() == []


async def test_settings_hold_in_each_transaction_and_are_not_left_to_others(pooled: Database) -> None:
    async with pooled.begin() as session:
        assert tuple((await session.execute(text(SETTINGS))).one()) == ("300ms", "30s", "off")
    async with pooled.begin() as session:
        assert (await session.execute(text("SHOW idle_in_transaction_session_timeout"))).scalar_one() == "1min"
    async with pooled.read() as session:
        assert tuple((await session.execute(text(SETTINGS))).one())[:2] == ("0", "0")


async def test_a_write_waits_for_a_lock_no_longer_than_it_may(
    serve: Serve, pooled_url: str, database: Database
) -> None:
    async with serve(database_url=pooled_url, lock_timeout=0.3) as client:
        world = await make_world(client)
        async with database.begin() as session:
            await session.execute(text("SELECT 1 FROM chat_sessions WHERE id = :id FOR UPDATE"), {"id": world.chat})
            # The lock is held until it is answered: nothing but the timeout can end the waiting.
            assert (await post(client, world.chat, "A text", "a-post"))["__typename"] == UNAVAILABLE
        assert (await post(client, world.chat, "A text", "a-post"))["__typename"] == "PostMessageSuccess"


async def test_a_read_that_waits_too_long_is_given_up_and_cancelled(
    pooled_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.connection.retry.CONNECT_TIMEOUT_S", 2.0)
    pooled = Database(pooled_url, lock_timeout=0.3)
    async with database.begin() as session:
        await session.execute(text("LOCK TABLE documents IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DatabaseUnavailable):
            async with pooled.read() as reading:
                await reading.execute(text("SELECT 1 FROM documents"))
        # Not even at the server it goes on: the pooler has passed the cancellation on.
        await until_waiting(database, 0)
    async with pooled.read() as reading:
        await reading.execute(text("SELECT 1 FROM documents"))
    await pooled.close()


async def test_a_hot_ensure_is_one_round_trip_and_a_transaction_brings_its_settings_along(
    serve: Serve, pooled_url: str
) -> None:
    async with Proxy(pooled_url).listening() as proxy, serve(database_url=proxy.url) as client:
        world = await make_world(client)
        anchor = world.document, world.section
        await ensure(client, *anchor)
        with counted(client.database) as statements:
            proxy.sent.clear()
            assert (await ensure(client, *anchor))["ensured"] == "FOUND"
            assert submits(bytes(proxy.sent)) == 1
        assert [statement.split()[0] for statement in statements] == ["SELECT"]

        async def touch() -> None:
            async with client.database.begin() as session:
                await session.execute(text("SELECT 1"))

        await touch()
        proxy.sent.clear()
        await touch()
        assert submits(bytes(proxy.sent)) == 3  # BEGIN with the settings, the statement, COMMIT


async def test_a_pooler_that_is_killed_under_load_is_missed_and_served_through_when_it_is_back(
    pooler: PgBouncer, pooled_url: str, database: Database
) -> None:
    document = await factories.document(database)
    anchor = document.id, (await factories.section(database, document)).id
    loop = asyncio.get_running_loop()
    with running_server(pooled_url, lock_timeout=1) as address:
        async with httpx.AsyncClient(base_url=address, timeout=40) as http:
            await until_ready(http)
            load = Load(http, anchor, await first_message(Client(http), anchor))
            async with load.going_on():
                await asyncio.sleep(0.5)
                pooler.kill()
                killed = loop.time()
                await asyncio.sleep(1)
                await asyncio.to_thread(pooler.start)
                started = loop.time()
                await until_ready(http)
                await asyncio.sleep(0.5)
            assert load.seen(503, killed)
            assert load.seen(200, started)
    assert load.answers[UNAVAILABLE]
    await load.assert_kept(database)
    assert await violations(database) == []


async def test_subscribers_are_told_through_a_pooler(pooled: Database, database: Database) -> None:
    document = await factories.document(database)
    sections = [await factories.section(database, document) for _ in range(2)]
    chat_feed = ChatFeed(pooled, 0.02)
    opened = await chat_feed.of("local", document.id)
    for section, way in zip(sections, (pooled, database), strict=True):
        chat_id = await way.transact(partial(factories.open_chat, document=document, section=section))
        async with asyncio.timeout(10):
            assert (await anext(opened)).id == chat_id
    await chat_feed.close()


def test_every_command_works_through_a_pooler(postgres_server: str) -> None:
    """As it is installed, in the mode in which it serves more callers than it has connections."""
    with (
        postgres.database(postgres_server) as url,
        pgbouncer.running(postgres_server, "transaction", size=1) as pooler,
    ):
        through = ("--database", pooler.url(url))
        assert "went from none" in run("migrate", *through).stdout
        legacy = run("import-legacy", str(ROOT / "docs/legacy-sample.json"), *through)
        assert legacy.returncode == 0, legacy
        imported = run("import", str(ROOT / "README.md"), *through)
        assert imported.stdout.startswith("doc_"), imported
        # What the sample has on purpose is found and repaired, and then there is nothing left.
        assert "NO_WRONG_CHAT_POINTER" in run("doctor", "--repair", *through).stdout
        examined = run("doctor", *through)
        assert (examined.returncode, examined.stdout) == (0, "Nothing found.\n"), examined
