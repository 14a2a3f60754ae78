"""The end: what a server that is told to stop still answers, and what it leaves behind, while callers go on."""

import asyncio
import itertools
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, suppress
from http.client import HTTPConnection, NotConnected
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select, text

from db.connection.database import Database
from db.models import Message
from marginalia.app import create_app
from marginalia.server import SHUTDOWN_GRACE_S
from marginalia.settings import Settings
from tests.checkers.faults.load import first_message
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import post
from tests.support.invariants import violations
from tests.support.processes import Server, running_process

WRITERS = 8
SOON = 3.0
"""Within how many seconds a server ends that nobody keeps; far less than the grace time."""

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def anchor(database: Database) -> tuple[str, str]:
    document = await factories.document(database)
    return document.id, (await factories.section(database, document)).id


@asynccontextmanager
async def calling(server: Server) -> AsyncIterator[Client]:
    """Give a client that keeps one connection."""
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(base_url=server.address, limits=limits, timeout=40) as http:
        yield Client(http)


class Posts:
    """Posts of one chat: those that were acknowledged, and those that had no answer."""

    def __init__(self, server: Server, chat_id: str) -> None:
        self.acknowledged: dict[str, str] = {}
        self.unanswered: list[str] = []
        self.refused = 0
        self._server, self._chat_id = server, chat_id

    async def go_on(self, writer: int) -> None:
        """Post one after the other, until nobody listens any more."""
        async with calling(self._server) as client:
            for number in itertools.count():
                content = f"{writer}-{number}"
                try:
                    await self.send(client, content)
                except httpx.ConnectError:
                    self.refused += 1
                    return
                except httpx.TransportError:
                    # It met the end of its connection, and who sent it cannot know whether it was read.
                    self.unanswered.append(content)

    async def send(self, client: Client, content: str) -> None:
        """Post, with the text for a client id."""
        answer = await post(client, self._chat_id, content, content)
        assert answer["__typename"] == "PostMessageSuccess", answer
        self.acknowledged[content] = answer["postedMessage"]["id"]


async def stored(database: Database) -> dict[str, str]:
    """Read the ids of messages by their texts, and insist that no text is there twice."""
    async with database.read() as session:
        rows = (await session.scalars(select(Message))).all()
    assert max(Counter(row.content for row in rows).values()) == 1
    return {row.content: row.id for row in rows}


async def ended(server: Server, within: float) -> None:
    """Insist that a server ends well, in time, and with nothing to complain of."""
    async with asyncio.timeout(within):
        assert await asyncio.to_thread(server.process.wait, within) == 0
    lines = [line for line in server.log.splitlines() if json.loads(line)["level"] not in ("info", "warning")]
    assert lines == []


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - others are at work
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("database_url", "workers"),
    [
        ("sqlite", 1),
        ("postgresql", 2),
        pytest.param("sqlite", 2, marks=pytest.mark.thorough),
        pytest.param("postgresql", 1, marks=pytest.mark.thorough),
    ],
    indirect=["database_url"],
)
async def test_whoever_posts_while_a_server_is_told_to_stop_has_an_answer_or_was_not_heard(
    database: Database, database_url: str, anchor: tuple[str, str], workers: int
) -> None:
    with running_process(database_url, "--workers", str(workers)) as server:
        async with calling(server) as client:
            posts = Posts(server, await first_message(client, anchor))
        async with asyncio.TaskGroup() as tasks:
            for writer in range(WRITERS):
                tasks.create_task(posts.go_on(writer))
            await until(lambda: len(posts.acknowledged) > 5 * WRITERS)
            server.process.send_signal(signal.SIGTERM)
            await ended(server, SHUTDOWN_GRACE_S)
    assert posts.refused == WRITERS
    there = await stored(database)
    assert {content: there.get(content) for content in posts.acknowledged} == posts.acknowledged
    assert [content for content in posts.unanswered if content in there] == [], "what was done was also told"

    with running_process(database_url) as again:
        async with calling(again) as client:
            for content in [*posts.acknowledged, *posts.unanswered]:
                await posts.send(client, content)
    assert await stored(database) == posts.acknowledged | {"The first": there["The first"]}
    assert await violations(database) == []


async def test_what_a_server_had_taken_when_it_was_told_to_stop_is_answered(
    database: Database, database_url: str, anchor: tuple[str, str]
) -> None:
    with running_process(database_url) as server:
        async with AsyncExitStack() as stack, calling(server) as idle:
            clients = [await stack.enter_async_context(calling(server)) for _ in range(WRITERS)]
            posts = Posts(server, await first_message(idle, anchor))
            async with asyncio.TaskGroup() as tasks:
                async with database.begin() as session:
                    await session.execute(text("UPDATE chat_sessions SET updated_at = updated_at"))
                    for number, client in enumerate(clients):
                        tasks.create_task(posts.send(client, str(number)))
                    await taken(idle, WRITERS)
                    server.process.send_signal(signal.SIGTERM)
                    await asyncio.sleep(0.5)
                    with pytest.raises(httpx.ConnectError):
                        await idle.http.get("/readyz")
                    assert posts.acknowledged == {}
                assert server.process.poll() is None
            await ended(server, SOON)
    assert len(posts.acknowledged) == WRITERS
    assert await stored(database) == posts.acknowledged | {"The first": (await stored(database))["The first"]}


@on_sqlite
async def test_a_server_that_was_told_to_stop_is_not_ready(database: Database, database_url: str) -> None:
    app = create_app(Settings(_env_file=None, database_url=database_url))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http,
    ):
        await app.state.preparation.tried()
        assert (await http.get("/readyz")).status_code == 200
        app.state.ending.set()
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reason": "The server is shutting down."}


async def test_nobody_is_told_that_a_server_is_ready_once_it_was_told_to_stop(database_url: str) -> None:
    with running_process(database_url) as server, ExitStack() as stack:
        asking = [stack.enter_context(closing(HTTPConnection(urlsplit(server.address).netloc))) for _ in range(20)]
        await until(lambda: told(asking[0]) == 200)
        for connection in asking:
            assert told(connection) == 200
            connection.auto_open = 0
        server.process.send_signal(signal.SIGTERM)
        answers = {told(connection) for connection in asking}
        assert server.process.wait(SOON) == 0
    # uvicorn looks ten times a second whether to end, and closes then what is idle.
    assert answers <= {503, None}


@on_sqlite
async def test_connections_that_come_with_the_end_do_not_keep_a_server(database: Database, database_url: str) -> None:
    come = []

    async def knock() -> None:
        with suppress(OSError):
            while True:
                come.append(await asyncio.open_connection(address.hostname, address.port))
                await asyncio.sleep(0.004)

    with running_process(database_url) as server:
        address = urlsplit(server.address)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WRITERS):
                tasks.create_task(knock())
            await asyncio.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            await ended(server, SOON)
        for _, writer in come:
            writer.close()


@on_sqlite
async def test_nobody_waits_for_workers_that_have_ended(
    database: Database, database_url: str, anchor: tuple[str, str]
) -> None:
    with running_process(database_url, "--workers", "2") as server:
        async with calling(server) as client, asyncio.TaskGroup() as tasks:
            posts = Posts(server, await first_message(client, anchor))
            async with database.begin() as session:
                await session.execute(text("UPDATE chat_sessions SET updated_at = updated_at"))
                tasks.create_task(posts.send(client, "waiting"))
                await asyncio.sleep(0.5)
                server.process.send_signal(signal.SIGTERM)
                await refused(server)
        await ended(server, SHUTDOWN_GRACE_S)
    assert "waiting" in posts.acknowledged


async def refused(server: Server) -> None:
    """Wait until a server takes nobody any more, which is not while somebody waits in its queue for an answer."""
    async with asyncio.timeout(20):
        while True:
            async with calling(server) as late:
                try:
                    await late.http.get("/livez", timeout=1)
                except httpx.ConnectError:
                    return
                except httpx.TransportError:
                    pass  # it was taken just before the end


async def taken(client: Client, count: int) -> None:
    """Wait until a server runs so many mutations."""
    async with asyncio.timeout(20):
        while f'operations_in_flight{{type="mutation"}} {count}.0' not in (await client.http.get("/metrics")).text:  # noqa: ASYNC110 - it is the server that knows
            await asyncio.sleep(0.01)


def told(connection: HTTPConnection) -> int | None:
    """Ask whether a server is ready, on a connection that stays; None: it did not."""
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        with connection.getresponse() as answer:
            answer.read()
            return answer.status
    except (ConnectionError, NotConnected):
        return None
