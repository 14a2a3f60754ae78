"""Requests as bytes: what no client should send is refused, and what is sent in a row is answered in a row."""

import asyncio
import json
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from tests.edge.protocols import answers, connected, serving, until
from tests.edge.protocols import anyio_backend as anyio_backend
from tests.edge.sockets import SECONDS, frame, handshake

HOST = b"Host: localhost\r\n"
CHUNKED = HOST + b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"
CLOSE = b"Connection: close\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell what was asked."""
    if scope["type"] == "websocket":
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        await websocket.send_text((await websocket.receive_text()).upper())
        await websocket.close()
        return
    request = Request(scope, receive, send)
    try:
        body = (await request.body()).decode()
    except ClientDisconnect:
        return
    told: Any = {"path": scope["path"], "body": body, "headers": [name.decode() for name, _ in scope["headers"]]}
    response: Response = PlainTextResponse(json.dumps(told) + "\n")
    if scope["path"] == "/stream":
        response = StreamingResponse(iter(["one\n", "two\n"]))
    await response(scope, receive, send)


def get(target: bytes = b"/", headers: bytes = HOST, body: bytes = b"", method: bytes = b"GET") -> bytes:
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, headers, body)


LAST = get(b"/last", HOST + CLOSE)


def post(headers: bytes, body: bytes) -> bytes:
    return get(headers=headers, body=body, method=b"POST")


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def told(answer: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.splitlines() if line.startswith(b"{")]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"\0\1\2\3", 400, id="bytes"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100, 400, id="TLS"),
        pytest.param(b"GET /\r\n\r\n", 400, id="HTTP/0.9"),
        pytest.param(b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 400, id="HTTP/1.2"),
        pytest.param(b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 400, id="HTTP/2"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="the preface of HTTP/2"),
        pytest.param(b"GET / RTSP/1.0\r\n" + HOST + b"\r\n", 400, id="RTSP"),
        pytest.param(b"SOURCE / ICE/1.0\r\n" + HOST + b"\r\n", 400, id="ICE"),
        pytest.param(b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400, id="two spaces"),
        pytest.param(b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400, id="a bare LF"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n", 400, id="a bare CR"),
        pytest.param(get(b"/\xff"), 400, id="a target that is no ASCII"),
        pytest.param(get(b"/a b"), 400, id="a space in the target"),
        pytest.param(get(b"a:80", method=b"CONNECT"), 400, id="CONNECT"),
        pytest.param(get(b"/", method=b"CONNECT"), 400, id="CONNECT to a path"),
        pytest.param(get(method=b"BREW"), 400, id="an unknown method"),
        pytest.param(get(headers=b""), 400, id="no host"),
        pytest.param(get(headers=HOST + b"Host: evil.example\r\n"), 400, id="two hosts"),
        pytest.param(get(headers=HOST + b"X : y\r\n"), 400, id="a space before the colon"),
        pytest.param(get(headers=HOST + b"X Y: z\r\n"), 400, id="a space in a name"),
        pytest.param(get(headers=HOST + b"X: y\r\n z\r\n"), 400, id="a folded header"),
        pytest.param(get(headers=b" " + HOST), 400, id="a folded first header"),
        pytest.param(get(headers=HOST + b"X\r\n"), 400, id="no colon"),
        pytest.param(get(headers=HOST + b": y\r\n"), 400, id="no name"),
        pytest.param(get(headers=HOST + b"X: \0\r\n"), 400, id="NUL in a value"),
        pytest.param(post(CHUNKED + b"Content-Length: 3\r\n", CHUNKS), 400, id="chunks and a length"),
        pytest.param(post(b"Content-Length: 3\r\n" + CHUNKED, CHUNKS), 400, id="a length and chunks"),
        pytest.param(post(HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"), 400, id="two lengths"),
        pytest.param(post(HOST + b"Content-Length: 3, 4\r\n", b"abcd"), 400, id="a list of lengths"),
        pytest.param(post(HOST + b"Content-Length: +3\r\n", b"abc"), 400, id="a length with a sign"),
        pytest.param(post(HOST + b"Content-Length: 1_0\r\n", b"abc"), 400, id="a length for Python"),
        pytest.param(post(HOST + b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS), 400, id="gzip in chunks"),
        pytest.param(post(HOST + b"Transfer-Encoding: chunked, gzip\r\n", CHUNKS), 400, id="chunks in gzip"),
        pytest.param(post(HOST + b"Transfer-Encoding: xchunked\r\n", CHUNKS), 400, id="an unknown coding"),
        pytest.param(post(CHUNKED + b"Transfer-Encoding: chunked\r\n", CHUNKS), 400, id="chunks in chunks"),
        pytest.param(b"POST / HTTP/1.0\r\n" + CHUNKED + b"\r\n" + CHUNKS, 400, id="chunks in HTTP/1.0"),
        pytest.param(post(CHUNKED, b"x\r\nabc\r\n0\r\n\r\n"), 400, id="a size that is none"),
        pytest.param(post(CHUNKED, b"-3\r\nabc\r\n0\r\n\r\n"), 400, id="a negative size"),
        pytest.param(post(CHUNKED, b"f" * 19 + b"\r\nabc"), 400, id="a huge size"),
        pytest.param(post(CHUNKED, b"3\nabc\n0\n\n"), 400, id="chunks with a bare LF"),
        pytest.param(post(CHUNKED, b"3\r\nabcX0\r\n\r\n"), 400, id="no end of a chunk"),
        pytest.param(post(CHUNKED, b"3;" + b"x" * 100_000), 400, id="a long extension of a chunk"),
        pytest.param(post(CHUNKED, b"3\r\nabc\r\n0\r\nX: " + b"x" * 100_000), 400, id="a long trailer"),
        pytest.param(get(b"/" + b"x" * 100_000), 414, id="a long target"),
        pytest.param(b"GET /" + b"x" * 1_000_000, 414, id="a target that does not end"),
        pytest.param(get(headers=HOST + b"X: " + b"x" * 100_000 + b"\r\n"), 431, id="a long header"),
        pytest.param(get(headers=HOST + b"X: y\r\n" * 20_000), 431, id="many headers"),
        pytest.param(get()[:-2] + b"X: " + b"x" * 1_000_000, 431, id="a header that does not end"),
        pytest.param(b"\r\n" * 100_000, 400, id="empty lines"),
        pytest.param(
            get(headers=b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + KEY), 400, id="a socket to no host"
        ),
        pytest.param(
            get(headers=HOST + CLOSE + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"), 400, id="a socket without key"
        ),
    ],
)
@pytest.mark.parametrize("size", [1 << 30, 4_096, 7], ids=["whole", "in pieces", "in crumbs"])
async def test_a_malformed_request_is_refused_and_the_connection_closed(sent: bytes, status: int, size: int) -> None:
    size = max(size, len(sent) // 100)
    async with serving(echo) as (address, state):
        answer = await answers(address, *(sent[at : at + size] for at in range(0, len(sent), size)))
        assert statuses(answer) == [status]
        assert b"connection: close" in answer.lower()
        await until(lambda: not state.tasks and not state.connections)


@pytest.mark.parametrize("size", [1 << 30, 5], ids=["whole", "in crumbs"])
async def test_requests_in_a_row_are_answered_in_a_row(size: int) -> None:
    sent = get(b"/a") + b"\r\n" + post(CHUNKED, CHUNKS) + post(HOST + b"Content-Length: 2\r\n", b"de") + LAST
    async with serving(echo) as (address, _):
        answer = await answers(address, *(sent[at : at + size] for at in range(0, len(sent), size)))
    assert [(each["path"], each["body"]) for each in told(answer)] == [
        ("/a", ""),
        ("/", "abc"),
        ("/", "de"),
        ("/last", ""),
    ]


async def test_many_requests_in_a_row_are_all_answered() -> None:
    async with serving(echo) as (address, _):
        answer = await answers(address, get() * 5_000 + LAST)
    assert [each["path"] for each in told(answer)] == ["/"] * 5_000 + ["/last"]


@pytest.mark.parametrize(
    "bad",
    [b"\0", post(CHUNKED, b"x\r\n"), get(headers=b""), get(b"/" + b"x" * 100_000)],
    ids=["bytes", "chunk", "host", "long"],
)
async def test_a_malformed_request_in_a_row_is_refused_in_its_turn(bad: bytes) -> None:
    async with serving(echo) as (address, _):
        answer = await answers(address, get(b"/a") + get(b"/b") + bad)
    assert statuses(answer) in ([200, 200, 400], [200, 200, 414])


@pytest.mark.parametrize("wish", [b"h2c", b"TLS/1.0", b"websocket, h2c"])
async def test_the_wish_for_another_protocol_is_ignored(wish: bytes) -> None:
    headers = HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\nHTTP2-Settings: AAA\r\n" % wish
    sent = post(headers + b"Content-Length: 3\r\n", b"abc") + get(b"/b", headers) + LAST
    async with serving(echo) as (address, _):
        answer = await answers(address, sent)
    assert [(each["path"], each["body"]) for each in told(answer)] == [("/", "abc"), ("/b", ""), ("/last", "")]


async def test_what_follows_a_body_is_no_header() -> None:
    async with serving(echo) as (address, _):
        answer = await answers(address, post(CHUNKED, b"3\r\nabc\r\n0\r\nOrigin: evil\r\n\r\n") + LAST)
    first, _ = told(answer)
    assert first == {"path": "/", "body": "abc", "headers": ["host", "transfer-encoding"]}


async def test_a_socket_is_opened_after_the_answers_before() -> None:
    async with serving(echo) as (address, _), connected(address) as (reader, writer), asyncio.timeout(SECONDS):
        writer.write(get(b"/a") + handshake(address) + frame(b"hello"))  # not even the frame is lost
        assert statuses(await reader.readuntil(b"\x81\x05HELLO")) == [200, 101]


async def test_a_socket_is_for_http_1_1() -> None:
    async with serving(echo) as (address, _):
        answer = await answers(address, handshake(address).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert statuses(answer) == [200]


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_an_old_client_gets_no_chunks(method: bytes) -> None:
    async with serving(echo) as (address, _):
        old = await answers(address, method + b" /stream HTTP/1.0\r\n\r\n")
        new = await answers(address, get(b"/stream", HOST + CLOSE, method=method))
    assert b"chunked" not in old
    assert old.partition(b"\r\n\r\n")[2] == (b"one\ntwo\n" if method == b"GET" else b"")
    assert new.partition(b"\r\n\r\n")[2] == (b"4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n" if method == b"GET" else b"")


async def test_a_target_may_be_a_url_whose_host_counts() -> None:
    async with serving(echo) as (address, _):
        answer = await answers(address, get(b"http://evil.example/a?b", HOST + CLOSE))
    assert [each["path"] for each in told(answer)] == ["http://evil.example/a"]


async def test_what_the_application_waits_for_is_asked_for() -> None:
    async with serving(echo) as (address, _):
        answer = await answers(
            address, post(HOST + CLOSE + b"Expect: 100-continue\r\nContent-Length: 3\r\n", b""), b"abc"
        )
    assert statuses(answer) == [100, 200]
