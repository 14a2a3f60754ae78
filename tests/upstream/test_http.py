"""Upstream: what uvicorn's protocol on httptools does that ours mends, and the parts of uvicorn that ours touches."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from tests.edge.conftest import Log
from tests.edge.sockets import SECONDS, frame, handshake
from tests.upstream.wire import Wire

HOST = b"Host: localhost\r\n"
GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"

TOUCHED: dict[type, dict[str, str]] = {
    HttpToolsProtocol: {
        "_start_asgi_task": "starts a request that had to wait",
        "_should_upgrade": "tells whether a request opens a WebSocket",
        "handle_websocket_upgrade": "opens one, when the answers before are sent",
        "parser": "is replaced, when it waits for another protocol than HTTP",
        "pipeline": "tells whether requests wait",
        "cycle": "tells whether the last request is answered",
        "flow": "is replaced by one that does not read while it cannot write",
        "url": "is the target of the request",
        "headers": "are those of the request",
        "scope": "gets the whole target",
        "expect_100_continue": "is for the cycle",
        "access_log": "is for the cycle",
    },
    RequestResponseCycle: {
        "chunked_encoding": "is switched off for HTTP/1.0",
        "expected_content_length": "is that of each piece for HTTP/1.0",
        "disconnected": "lets an application end whose request broke off",
        "message_event": "wakes it",
        "response_started": "tells whether a refusal can still be sent",
        "response_complete": "tells whether a request is answered",
    },
    FlowControl: {"read_paused": "tells whether the client waits for us", "write_paused": "or we for the client"},
    WebSocketsSansIOProtocol: {
        "conn": "tells whether a handshake failed, and fails a socket",
        "frames": "are those of an unfinished message",
        "queue": "tells whether a message was taken",
        "curr_msg_data_type": "tells whether it must be UTF-8",
        "read_paused": "tells whether a message waits",
        "writable": "tells whether the client waits for us",
        "handshake_complete": "is set when a handshake is refused",
        "close_sent": "as well",
        "handle_parser_exception": "closes a socket that failed",
    },
}
"""The attributes of uvicorn that are no promise of its own, with what ours needs them for."""


class Asked:
    """An application that keeps what it is asked, and answers when it may."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.bodies: list[bytes] = []
        self.may_answer = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in a stream."""
        self.scopes.append(scope)
        self.bodies.append((await receive()).get("body", b""))
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


Connected = tuple[HttpToolsProtocol, Wire, Asked]


@pytest.fixture
async def connected() -> AsyncIterator[Connected]:
    """Connect a client to uvicorn."""
    asked = Asked()
    config = uvicorn.Config(asked, ws="websockets-sansio", ws_per_message_deflate=False, log_config=None)
    config.load()
    protocol, wire = HttpToolsProtocol(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    yield protocol, wire, asked
    asked.may_answer.set()
    protocol.connection_lost(None)
    async with asyncio.timeout(SECONDS):
        while protocol.tasks:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0)


async def settled() -> None:
    """Let what was begun go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_uvicorn_has_what_ours_touches() -> None:
    config = uvicorn.Config(Asked(), log_config=None)
    config.load()
    made: dict[type, Any] = {
        HttpToolsProtocol: HttpToolsProtocol(config, ServerState(), {}),
        WebSocketsSansIOProtocol: WebSocketsSansIOProtocol(config, ServerState(), {}),
        FlowControl: FlowControl(Wire()),
        RequestResponseCycle: RequestResponseCycle(*[None] * 11),  # type: ignore[arg-type]
    }
    made[HttpToolsProtocol].on_message_begin()
    for kind, names in TOUCHED.items():
        assert [name for name in names if not hasattr(made[kind], name)] == []


async def test_uvicorn_waits_without_end_for_a_request(connected: Connected) -> None:
    protocol, wire, _ = connected
    assert protocol.timeout_keep_alive_task is None
    protocol.data_received(GET[:-2])
    assert protocol.timeout_keep_alive_task is None
    assert not wire.closed


async def test_uvicorn_waits_without_end_after_a_body_that_came_after_its_answer(connected: Connected) -> None:
    protocol, _, asked = connected
    asked.may_answer.set()
    protocol.data_received(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\na")
    await settled()
    protocol.data_received(b"bc")
    assert protocol.cycle.response_complete
    assert protocol.timeout_keep_alive_task is None


async def test_httptools_has_no_limit_for_headers(connected: Connected) -> None:
    protocol, wire, _ = connected
    protocol.data_received(GET[:-2])
    for _ in range(10):
        protocol.data_received(b"x" * 100_000)
    assert (wire.written, wire.closed) == (b"", False)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /a HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET /a HTTP/1.1\r\n" + HOST * 2 + b"\r\n", id="two hosts"),
        pytest.param(b"GET /a\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET /a RTSP/1.0\r\n" + HOST + b"\r\n", id="RTSP"),
        pytest.param(b"GET  /a HTTP/1.1\r\n" + HOST + b"\r\n", id="two spaces"),
        pytest.param(b"GET /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", id="gzip"),
        pytest.param(b"GET /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", id="chunks in HTTP/1.0"),
    ],
)
async def test_httptools_reads_what_h11_refused(connected: Connected, head: bytes) -> None:
    protocol, wire, asked = connected
    protocol.data_received(head)
    await settled()
    assert (len(asked.scopes), wire.written) == (1, b"")


async def test_uvicorn_leaves_out_the_host_of_a_target(connected: Connected) -> None:
    protocol, _, asked = connected
    protocol.data_received(GET.replace(b"/a", b"http://evil.example/a"))
    await settled()
    assert asked.scopes[0]["raw_path"] == b"/a"


async def test_uvicorn_takes_trailers_for_headers(connected: Connected) -> None:
    protocol, _, asked = connected
    protocol.data_received(
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nOrigin: evil\r\n\r\n"
    )
    await settled()
    assert (b"origin", b"evil") in asked.scopes[0]["headers"]


async def test_httptools_takes_a_body_for_another_protocol(connected: Connected) -> None:
    protocol, _, asked = connected
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    protocol.data_received(b"POST / HTTP/1.1\r\n" + HOST + upgrade + b"Content-Length: 3\r\n\r\nabc" + GET)
    await settled()
    assert asked.bodies == [b""]


async def test_uvicorn_refuses_a_request_before_it_answers_the_one_before(connected: Connected, log: Log) -> None:
    protocol, wire, _ = connected
    protocol.data_received(GET + b"\0")
    assert wire.written.startswith(b"HTTP/1.1 400 ")
    assert log.complaints(), "and each is a warning"


async def test_uvicorn_opens_a_socket_before_it_answers_the_request_before(connected: Connected) -> None:
    protocol, _, _ = connected
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # our application knows no sockets
    protocol.data_received(GET + handshake("http://localhost") + frame(b"lost"))
    (socket,) = protocol.connections
    assert isinstance(socket, WebSocketsSansIOProtocol)
    assert not socket.conn.reader.buffer
    socket.handshake_complete = True


async def test_uvicorn_begins_all_requests_that_it_reads_at_once(connected: Connected) -> None:
    protocol, _, _ = connected
    protocol.data_received(GET * 1_000)
    assert len(protocol.pipeline) == 999
    protocol.pipeline.clear()


async def test_uvicorn_sends_chunks_to_a_client_that_knows_none(connected: Connected) -> None:
    protocol, wire, asked = connected
    asked.may_answer.set()
    protocol.data_received(b"GET / HTTP/1.0\r\n\r\n")
    await settled()
    assert b"transfer-encoding: chunked" in wire.written


async def test_uvicorn_reads_on_while_nobody_reads_its_answers(connected: Connected) -> None:
    protocol, wire, _ = connected
    protocol.pause_writing()
    assert wire.is_reading()
