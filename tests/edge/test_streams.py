"""Streams of answers over HTTP: server-sent events and Apollo's multipart protocol, byte by byte."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.types import Message

from db.connection.database import Database
from db.principals import Principal
from marginalia.authentication.local import LOCAL_OWNER
from marginalia.transports import streaming, uploads
from marginalia.transports.runner import GraphQLResponse
from tests.api import operations
from tests.conftest import Serve
from tests.edge.sockets import SECONDS, socket
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.processes import Server, running_process, running_server

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

OPENED = "subscription ($d: ID!) { sectionChatOpened(docId: $d) { chat { id section { id } } } }"
EVENTS = {"Accept": "text/event-stream"}
MULTIPART = {"Accept": "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"}
BEGINNING = {"text/event-stream": b":\n\n", "multipart/mixed": b"--graphql"}


def event(body: object) -> bytes:
    return b"event: next\ndata: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def part(body: object) -> bytes:
    payload = json.dumps({"payload": body}, separators=(",", ":")).encode()
    return b"\r\nContent-Type: application/json\r\n\r\n" + payload + b"\r\n--graphql"


async def ask(client: Served, headers: dict[str, str], query: str, **variables: object) -> httpx.Response:
    return await client.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


@on_sqlite
@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("{ __typename }", {"data": {"__typename": "Query"}}),
        (
            'mutation { removeSection(docId: "a", sectionId: "b") { __typename } }',
            {"data": {"removeSection": {"__typename": "DocumentNotFound"}}},
        ),
    ],
)
async def test_an_operation_with_one_answer_is_a_stream_of_one(client: Served, query: str, body: object) -> None:
    response = await ask(client, EVENTS, query)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["vary"] == "Accept, Origin"
    assert response.content == b":\n\n" + event(body) + b"event: complete\ndata:\n\n"

    response = await ask(client, {"Accept": "multipart/mixed;subscriptionSpec=1.0"}, query)
    assert response.headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
    assert response.content == b"--graphql" + part(body) + b"--\r\n"


@on_sqlite
@pytest.mark.parametrize("headers", [EVENTS, MULTIPART])
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('subscription { sectionChatOpened(docId: "doc_none") { chat { id } } }', "DOCUMENT_NOT_FOUND"),
        ("subscription ($d: ID!) { sectionChatOpened(docId: $d) { chat { id } } }", "BAD_USER_INPUT"),
    ],
)
async def test_a_subscription_that_is_not_begun_is_a_stream_of_its_errors(
    client: Served, headers: dict[str, str], query: str, code: str
) -> None:
    content = (await ask(client, headers, query)).content
    assert content.count(b'"errors"') == 1
    assert f'"code":"{code}"'.encode() in content
    assert b'"data":' not in content
    assert content.endswith((b"event: complete\ndata:\n\n", b"--graphql--\r\n"))


@on_sqlite
async def test_a_client_gets_a_stream_only_if_it_can_take_one(client: Served) -> None:
    subscription = 'subscription { sectionChatOpened(docId: "doc_none") { chat { id } } }'
    for accept, content_type in (
        ("application/json", None),
        ("application/graphql-response+json, application/json", None),
        ("multipart/mixed", None),
        ("*/*", "text/event-stream; charset=utf-8"),
        ("text/event-stream, multipart/mixed", "text/event-stream; charset=utf-8"),
    ):
        response = await ask(client, {"Accept": accept}, subscription)
        assert response.status_code == (200 if content_type else 406), accept
        if content_type:
            assert response.headers["content-type"] == content_type
    urql = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"
    response = await ask(client, {"Accept": urql}, "{ __typename }")
    assert response.headers["content-type"] == "application/graphql-response+json; charset=utf-8"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    url = f"sqlite:///{tmp_path_factory.mktemp('streams')}/marginalia.db"
    with running_process(url, event_seconds=0.02) as running:
        yield running


@asynccontextmanager
async def stream(address: str, headers: dict[str, str], document: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """Subscribe to a document; inside the block the subscription is live."""
    async with (
        httpx.AsyncClient(base_url=address, timeout=SECONDS) as http,
        http.stream("POST", "/graphql", json={"query": OPENED, "variables": {"d": document}}, headers=headers) as sent,
    ):
        assert sent.status_code == 200
        pieces = sent.aiter_raw()
        assert await anext(pieces) in BEGINNING.values()
        yield pieces


async def until_followers(address: str, count: int) -> None:
    async with httpx.AsyncClient(base_url=address) as http, asyncio.timeout(SECONDS):
        while f"marginalia_subscribers {count}.0" not in (await http.get("/metrics")).text:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


@asynccontextmanager
async def speaking(address: str) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=address, timeout=SECONDS) as http:
        yield Client(http)


@pytest.mark.parametrize(("headers", "framed"), [(EVENTS, event), (MULTIPART, part)])
async def test_a_subscription_tells_from_the_moment_that_its_headers_are_there(
    server: Server, headers: dict[str, str], framed: Any
) -> None:
    async with speaking(server.address) as client:
        document = await operations.import_document(client, "# A\n\n# B")
        async with stream(server.address, headers, document) as pieces:
            for section in await operations.section_ids(client, document):
                chat = await operations.ensure_chat(client, document, section)
                told = {"data": {"sectionChatOpened": {"chat": {"id": chat, "section": {"id": section}}}}}
                assert await anext(pieces) == framed(told)
            await until_followers(server.address, 1)
    await until_followers(server.address, 0)


@pytest.mark.parametrize("headers", [EVENTS, MULTIPART])
async def test_a_stream_says_that_it_is_still_there(
    serve: Serve, headers: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_INTERVAL_S", 0.02)
    async with serve(event_seconds=0.02) as client:
        document = await operations.import_document(client, "# A")
        sending = asyncio.create_task(ask(client, headers, OPENED, d=document))
        chat_feed = client.http._transport.app.state.chat_feed  # type: ignore[attr-defined]
        while not chat_feed.subscribers:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)  # fifty times as long as the silence after which it has to speak
        await chat_feed.close()  # as at the end
        content = (await sending).content
    beat = b":\n\n" if headers is EVENTS else b"\r\nContent-Type: application/json\r\n\r\n{}\r\n--graphql"
    assert content.count(beat) >= 3
    assert b"TEMPORARILY_UNAVAILABLE" in content


async def test_heartbeats_and_answers_take_turns_and_none_comes_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_INTERVAL_S", 0.005)
    sent: list[Message] = []
    busy = asyncio.Lock()

    async def send(message: Message) -> None:
        assert not busy.locked()
        async with busy:
            sent.append(message)
            await asyncio.sleep(0.03)  # as to a client that is slow

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def some() -> AsyncIterator[GraphQLResponse]:
        for number in range(3):
            yield GraphQLResponse({"number": number}, [])

    await streaming.stream("text/event-stream", lambda: nullcontext(some()), {}, receive, send)
    pieces = [message["body"] for message in sent if message["type"] == "http.response.body"]
    assert [piece for piece in pieces if piece != b":\n\n"] == [
        *(event({"data": {"number": number}}) for number in range(3)),
        b"event: complete\ndata:\n\n",
    ]
    assert pieces[-1] == b"event: complete\ndata:\n\n"
    assert pieces.count(b":\n\n") > 1, "there were heartbeats"


@on_sqlite
async def test_who_was_moved_to_another_workspace_is_told_nothing_of_the_old_one(
    serve: Serve, database: Database
) -> None:
    moved = replace(LOCAL_OWNER, workspace_id="theirs")
    principal, asked = LOCAL_OWNER, 0

    def who() -> Principal:
        nonlocal asked
        asked += 1
        return principal

    async def until_asked(times: int) -> None:
        async with asyncio.timeout(SECONDS):
            while asked < times:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)

    await factories.workspace(database, "theirs")
    document = await factories.document(database)
    sections = [await factories.section(database, document) for _ in range(2)]
    async with serve(who=who, event_seconds=0.02) as client:
        sending = asyncio.create_task(ask(client, EVENTS, OPENED, d=document.id))
        chat_feed = client.http._transport.app.state.chat_feed  # type: ignore[attr-defined]
        while not chat_feed.subscribers:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
        chats = []
        for principal, section in zip((moved, LOCAL_OWNER), sections, strict=True):  # noqa: B007 - `who` tells it
            before = asked
            chats.append(await factories.chat(database, section))
            await until_asked(before + 1)
        await chat_feed.close()  # as at the end
        content = (await sending).content
    hidden, told = (
        {"data": {"sectionChatOpened": {"chat": {"id": chat.id, "section": {"id": chat.section_id}}}}} for chat in chats
    )
    assert event(told) in content
    assert event(hidden) not in content
    assert content.count(b"event: next") == 2, "the other one tells why it has ended"


@on_sqlite
@pytest.mark.parametrize("beginning", [b"x", b"x" * 2_000], ids=["one that does not come", "one that is too long"])
async def test_a_body_of_a_get_does_not_end_its_stream(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(uploads, "PIECE_TIMEOUT_S", 0.02)

    async def body() -> AsyncIterator[bytes]:
        yield beginning
        await asyncio.Event().wait()

    async with serve(event_seconds=0.02, max_body_bytes=1_000) as client:
        document = await operations.import_document(client, "# A")
        query = {"query": OPENED, "variables": json.dumps({"d": document})}
        headers = EVENTS | {"GraphQL-Require-Preflight": "1"}
        asking = client.http.build_request("GET", "/graphql", params=query, headers=headers, content=body())
        sending = asyncio.create_task(client.http.send(asking))
        chat_feed = client.http._transport.app.state.chat_feed  # type: ignore[attr-defined]
        async with asyncio.timeout(SECONDS):
            while not chat_feed.subscribers:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        assert chat_feed.subscribers == 1
        await chat_feed.close()
        assert (await sending).content.endswith(b"event: complete\ndata:\n\n")


def test_what_happens_in_one_process_is_told_by_another(database_url: str) -> None:
    async def told() -> tuple[str, bytes, str]:
        with (
            running_server(database_url, event_seconds=0.05) as here,
            running_server(database_url, event_seconds=0.05) as there,
        ):
            async with speaking(there) as client, socket(here) as ours:
                document = await operations.import_document(client, "# A")
                (section,) = await operations.section_ids(client, document)
                await ours.subscribe("s", OPENED, d=document)
                async with stream(here, EVENTS, document) as pieces:
                    await until_followers(here, 2)
                    chat = await operations.ensure_chat(client, document, section)
                    event = await ours.receive()
                    return chat, await anext(pieces), event["payload"]["data"]["sectionChatOpened"]["chat"]["id"]

    chat, piece, by_socket = asyncio.run(told())
    assert chat.encode() in piece
    assert by_socket == chat


@on_sqlite
def test_a_server_that_is_told_to_stop_does_not_wait_for_subscriptions(database_url: str) -> None:
    async def stop() -> tuple[float, bytes, int]:
        with running_process(database_url) as server:
            async with speaking(server.address) as client, socket(server.address) as ours:
                document = await operations.import_document(client, "# A")
                await ours.subscribe("s", OPENED, d=document)
                async with stream(server.address, EVENTS, document) as pieces:
                    await until_followers(server.address, 2)
                    started = time.monotonic()
                    server.process.terminate()
                    rest = b"".join([piece async for piece in pieces])
                    code, _ = await ours.closed()
                    await asyncio.to_thread(server.process.wait, SECONDS)
                    return time.monotonic() - started, rest, code

    took, rest, code = asyncio.run(stop())
    assert took < 8  # less than the grace of 10 seconds
    assert b"TEMPORARILY_UNAVAILABLE" in rest
    assert rest.endswith(b"event: complete\ndata:\n\n")
    assert code == 1012
