"""Our protocols, served in this process on the event loop that is shipped and on the one it falls back to."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from uvicorn.server import ServerState

from marginalia.transports import http_connection, http_requests, watchdog
from marginalia.transports.http_connection import HttpConnection
from marginalia.transports.socket_connection import SocketConnection
from tests.edge.sockets import SECONDS

App = Callable[[Scope, Receive, Send], Awaitable[None]]

MUCH = "x" * 20_000_000
"""More than the way to a client holds."""


@pytest.fixture(scope="module", params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no client take longer than a moment."""
    monkeypatch.setattr(watchdog, "CHECK_INTERVAL_S", 0.02)
    for module, name in (
        (watchdog, "WRITE_STALL_TIMEOUT_S"),
        (http_connection, "HEAD_TIMEOUT_S"),
        (http_requests, "HEAD_TIMEOUT_S"),
        (http_requests, "UPLOAD_TIMEOUT_S"),
    ):
        monkeypatch.setattr(module, name, 0.3)


class Telling:
    """An application that tells those who introduce themselves much, and is at its end when they are gone."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.over = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        await websocket.receive_text()
        await websocket.send_text(MUCH)
        self.told.set()
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass
        self.over.set()


class Listening:
    """An application that listens, and says nothing, until its client leaves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass


@asynccontextmanager
async def serving(app: App, *, keep_alive: int = 90, **state: Any) -> AsyncIterator[tuple[str, ServerState]]:
    """Serve an application with connections of ours; give the address and the connections."""
    config = uvicorn.Config(
        app,
        http=HttpConnection,
        ws=SocketConnection,
        ws_per_message_deflate=False,
        timeout_keep_alive=keep_alive,
        proxy_headers=False,
        server_header=False,
        log_config=None,
        lifespan="off",
    )
    config.load()
    shared = ServerState()
    listening = await asyncio.get_running_loop().create_server(
        lambda: HttpConnection(config=config, server_state=shared, app_state=state), "127.0.0.1", 0
    )
    async with listening:
        host, port = listening.sockets[0].getsockname()
        yield f"http://{host}:{port}", shared
        for connection in list(shared.connections):
            connection.transport.abort()
        await until(lambda: not shared.connections and not shared.tasks)


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect a client that writes what it likes."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answers(address: str, *pieces: bytes) -> bytes:
    """Send pieces, one after the other, and return what the server sends until it closes the connection."""
    loop, (host, port) = asyncio.get_running_loop(), address.removeprefix("http://").split(":")
    received = bytearray()
    # A plain socket: a stream would forget what was sent before the connection was closed in the middle of a piece.
    with socket.socket() as ours:
        ours.setblocking(False)
        async with asyncio.timeout(SECONDS):
            await loop.sock_connect(ours, (host, int(port)))
            sending = asyncio.create_task(_send(ours, pieces))
            with suppress(ConnectionError):
                while piece := await loop.sock_recv(ours, 65_536):
                    received += piece
            await sending
    return bytes(received)


async def _send(ours: socket.socket, pieces: Sequence[bytes]) -> None:
    with suppress(ConnectionError):
        for piece in pieces:
            await asyncio.get_running_loop().sock_sendall(ours, piece)
            await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something of which nobody tells us."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
