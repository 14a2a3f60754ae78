"""Streams end within two seconds of their credentials, with an error that says why, on every transport."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import Delete, delete, update

from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.models import ApiKey, Document, Grant, ShareLink
from db.principals import Role
from db.times import utcnow
from marginalia.authentication.session import Session
from tests.conftest import Serve
from tests.support import factories
from tests.support.asgi_socket import SECONDS, asgi_socket
from tests.support.client import Served
from tests.support.tokens import VIEWER, api_key, bearer, in_seconds, share_link, sign

OPENED = "subscription ($d: ID!) { sectionChatOpened(docId: $d) { chat { id } } }"
EVENTS = "text/event-stream"
MULTIPART = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0"

IN_TIME_S = 6
"""When a stream must have ended: two seconds, and more on a slow and busy machine."""

Ends = Callable[[], Awaitable[None]]

pytestmark = pytest.mark.slow  # the sessions of streams are looked at twice a second

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


ENDS = ["expiry", "revoked key", "revoked link", "expired key"]


@pytest.fixture(params=ENDS)
async def credential(
    request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str, str, Ends]:
    """Give a token, the document that it lets read, the code of its end, and what ends it."""
    document = await factories.document(database)

    async def expire() -> None:
        later = time.time() + 1_000
        monkeypatch.setattr(time, "time", lambda: later)

    def revoke(table: type[ApiKey | ShareLink]) -> Ends:
        async def ends() -> None:
            async with database.begin() as session:
                await session.execute(update(table).values(revoked_at=utcnow()))

        return ends

    match request.param:
        case "expiry":
            return sign(), document.id, "TOKEN_EXPIRED", expire
        case "revoked key":
            return (await api_key(database))[0], document.id, "TOKEN_REVOKED", revoke(ApiKey)
        case "expired key":
            secret, _ = await api_key(database, expires_at=in_seconds(900))
            return secret, document.id, "TOKEN_EXPIRED", expire
    return (await share_link(database, document))[0], document.id, "TOKEN_REVOKED", revoke(ShareLink)


async def until_subscribed(client: Served, count: int = 1) -> None:
    chat_feed = client.http._transport.app.state.chat_feed  # type: ignore[attr-defined]
    async with asyncio.timeout(SECONDS):
        while chat_feed.subscribers < count:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < IN_TIME_S


@pytest.mark.parametrize(
    ("credential", "accept"),
    [
        ("expiry", EVENTS),
        ("expiry", MULTIPART),
        ("revoked key", EVENTS),
        # All of them end a socket.
        *(pytest.param(ends, EVENTS, marks=pytest.mark.thorough) for ends in ENDS[2:]),
        *(pytest.param(ends, MULTIPART, marks=pytest.mark.thorough) for ends in ENDS[1:]),
    ],
    indirect=["credential"],
)
async def test_a_stream_over_http_ends(client: Served, credential: tuple[str, str, str, Ends], accept: str) -> None:
    token, document, code, ends = credential
    body = {"query": OPENED, "variables": {"d": document}}
    headers = {"Accept": accept, **bearer(token)}
    streaming = asyncio.create_task(client.http.post("/graphql", json=body, headers=headers))
    await until_subscribed(client)
    async with in_time():
        await ends()
        content = (await streaming).text
    last = json.loads(content.split("data: " if accept == EVENTS else "\r\n\r\n")[-1].split("\n")[0])
    result = last if accept == EVENTS else last["payload"]
    assert [error["extensions"]["code"] for error in result["errors"]] == [code]
    assert "data" not in result
    assert content.endswith("event: complete\ndata:\n\n" if accept == EVENTS else "--graphql--\r\n")


async def test_all_of_a_socket_ends(client: Served, credential: tuple[str, str, str, Ends]) -> None:
    token, document, code, ends = credential
    async with asgi_socket(client) as socket:
        assert await socket.init({"authorization": f"Bearer {token}"}) == {"type": "connection_ack"}
        for name in "ab":
            await socket.subscribe(name, OPENED, d=document)
        await until_subscribed(client, 2)
        async with in_time():
            await ends()
            messages = [await socket.receive() for _ in range(3)]
    assert {(message["type"], message["id"]) for message in messages[:2]} == {("error", "a"), ("error", "b")}
    assert {message["payload"][0]["extensions"]["code"] for message in messages[:2]} == {code}
    assert messages[2] == 4403


@pytest.mark.parametrize("loses", ["a grant", "what was open"])
async def test_a_stream_ends_with_the_role_on_its_document(client: Served, database: Database, loses: str) -> None:
    """Shows: the socket stays open, because only one of its operations has ended."""
    is_granted = loses == "a grant"
    document = await factories.document(database, access="RESTRICTED" if is_granted else "WORKSPACE")
    other = await factories.document(database)
    grant = Grant(workspace_id="local", document_id=document.id, user_id="u1", role=Role.READER, granted_by="ann")
    if is_granted:
        await factories.add(database, grant)
    async with asgi_socket(client, bearer(sign(role="READER"))) as socket:
        await socket.init()
        await socket.subscribe("a", OPENED, d=document.id)
        await socket.subscribe("b", OPENED, d=other.id)
        await until_subscribed(client, 2)
        async with in_time():
            async with database.begin() as session:
                lost = delete(Grant) if is_granted else update(Document).where(Document.id == document.id)
                await session.execute(lost if isinstance(lost, Delete) else lost.values(access="RESTRICTED"))
            message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", "a")
        assert message["payload"][0]["extensions"]["code"] == "ACCESS_REVOKED"
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}


@on_sqlite
async def test_an_idle_socket_is_closed(client: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asgi_socket(client, bearer(sign())) as socket:
        assert await socket.init() == {"type": "connection_ack"}
        later = time.time() + 1_000
        monkeypatch.setattr(time, "time", lambda: later)
        async with in_time():
            assert await socket.receive() == 4403


@on_sqlite
async def test_an_event_after_the_end_is_not_delivered(
    client: Served, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    # So that the event comes first: the check between events is too late.
    watch = client.http._transport.app.state.watch  # type: ignore[attr-defined]
    monkeypatch.setattr(watch, "_interval", 1_000.0)
    body = {"query": OPENED, "variables": {"d": document.id}}
    headers = {"Accept": EVENTS, **bearer(sign())}
    streaming = asyncio.create_task(client.http.post("/graphql", json=body, headers=headers))
    await until_subscribed(client)
    later = time.time() + 1_000
    monkeypatch.setattr(time, "time", lambda: later)
    await factories.chat(database, section)
    content = (await streaming).text
    assert "TOKEN_EXPIRED" in content
    assert content.count("event: next") == 1


@on_sqlite
async def test_a_stream_goes_on_while_the_database_cannot_tell(
    serve: Serve, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = asyncio.Event()

    async def fail(_self: Session) -> None:
        checked.set()
        raise DatabaseUnavailable("It is away")

    document = await factories.document(database)
    secret, _ = await api_key(database)
    async with serve(auth="tokens", event_seconds=0.02) as client, asgi_socket(client, bearer(secret)) as socket:
        await socket.init()
        await socket.subscribe("a", OPENED, d=document.id)
        await until_subscribed(client)
        monkeypatch.setattr(Session, "check", fail)
        async with asyncio.timeout(SECONDS):
            await checked.wait()
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}


@on_sqlite
@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"Authorization": None},
        {"Authorization": 5},
        {"Authorization": ["Bearer x"]},
        {"Authorization": "Bearer x"},
        {"Authorization": sign()},
        {"token": sign()},
        {"Authorization": f"Bearer {sign()}", "marginalia-USER": "u2"},
    ],
)
async def test_a_socket_without_a_good_token_is_closed(client: Served, payload: Any) -> None:
    async with asgi_socket(client) as socket:
        assert await socket.init(payload) == 4403


@on_sqlite
async def test_nothing_runs_before_a_socket_is_authenticated(client: Served) -> None:
    async with asgi_socket(client, bearer(sign())) as socket:
        await socket.subscribe("a", VIEWER)
        assert await socket.receive() == 4401


@on_sqlite
async def test_the_payload_counts_before_the_headers_of_the_handshake(client: Served, database: Database) -> None:
    secret, _ = await api_key(database)
    async with asgi_socket(client, bearer("nonsense")) as socket:
        assert await socket.init({"AUTHORIZATION": f"bearer {secret}", "Marginalia-User": "ülrike"}) == {
            "type": "connection_ack"
        }
        await socket.subscribe("a", VIEWER)
        answer = await socket.receive()
        assert answer["payload"]["data"]["viewer"]["user"]["id"] == "user_ülrike"
        await socket.receive()


@on_sqlite
async def test_a_token_that_expires_while_the_body_comes_is_refused(
    client: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"query": '
        later = time.time() + 1_000
        monkeypatch.setattr(time, "time", lambda: later)
        yield b'"{ __typename }"}'

    headers = {"Content-Type": "application/json", **bearer(sign())}
    answer: httpx.Response = await client.http.post("/graphql", content=body(), headers=headers)
    assert answer.status_code == 401


@on_sqlite
async def test_the_watch_is_one_task_and_ends_with_the_last_stream(client: Served, database: Database) -> None:
    document = await factories.document(database)
    token = sign()
    async with asgi_socket(client, bearer(token)) as socket:
        await socket.init()
        before = len(asyncio.all_tasks())
        for number in range(20):
            await socket.subscribe(str(number), OPENED, d=document.id)
        await until_subscribed(client, 20)
        assert len(asyncio.all_tasks()) <= before + 20 + 2, "a task for each operation, and not two"
    assert not client.http._transport.app.state.watch._watched  # type: ignore[attr-defined]
