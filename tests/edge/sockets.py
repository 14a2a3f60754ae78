"""Sockets: a client of graphql-transport-ws that sends what it is told to, right or wrong."""

import asyncio
import json
import socket as plain
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from tests.support.processes import Server

PROTOCOL = "graphql-transport-ws"
SECONDS = 20
"""How long anything may take on a slow and busy machine."""

LARGE = "query Large ($d: ID!) { document(id: $d) {" + " ".join(f"m{n}: markdown" for n in range(40)) + "} }"
"""Asks for a document so often that with 300 kB of text the answer is more than the way to a client holds."""


class Socket:
    """A socket to a server."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: Any) -> None:
        """Send a message; text and bytes go as they are."""
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """Wait for the next message."""
        async with asyncio.timeout(SECONDS):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def init(self) -> None:
        """Introduce oneself."""
        await self.send({"type": "connection_init"})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, name: str, query: str, **variables: Any) -> None:
        """Ask for an operation."""
        payload = {"query": query, "variables": variables}
        await self.send({"type": "subscribe", "id": name, "payload": payload})

    async def result(self, name: str, query: str, **variables: Any) -> Any:
        """Run an operation that has one result, and return it."""
        await self.subscribe(name, query, **variables)
        answer = await self.receive()
        assert (answer["type"], answer["id"]) == ("next", name)
        assert await self.receive() == {"type": "complete", "id": name}
        return answer["payload"]

    async def closed(self) -> tuple[int, str]:
        """Wait until the server closes the socket, and return why."""
        with suppress(ConnectionClosed):
            async with asyncio.timeout(SECONDS):
                while True:
                    await self.connection.recv()
        assert self.connection.close_code is not None
        return self.connection.close_code, self.connection.close_reason or ""


@asynccontextmanager
async def socket(address: str, *protocols: str, origin: str | None = None, init: bool = True) -> AsyncIterator[Socket]:
    """Open a socket to a server, and close it."""
    url = address.replace("http://", "ws://") + "/graphql"
    offered = [Subprotocol(name) for name in protocols or (PROTOCOL,)]
    async with connect(
        url, subprotocols=offered, max_size=None, additional_headers={"Origin": origin} if origin else None
    ) as connection:
        opened = Socket(connection)
        if init:
            await opened.init()
        yield opened


def handshake(address: str, *lines: str, target: str = "/graphql", host: str | None = None) -> bytes:
    """Return a request for a WebSocket, with more header lines."""
    fields = [
        f"GET {target} HTTP/1.1",
        f"Host: {host or urlsplit(address).netloc}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Protocol: {PROTOCOL}",
        *lines,
    ]
    return "".join(f"{line}\r\n" for line in (*fields, "")).encode("latin-1")


def frame(data: Any, opcode: Opcode = Opcode.TEXT) -> bytes:
    """Return a frame as it goes over the wire, for several of them in one piece."""
    encoded = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Frame(opcode, encoded).serialize(mask=True)


async def until_ended(server: Server, name: str, transport: str, count: int) -> None:
    """Wait until so many operations of a name have ended well."""
    async with asyncio.timeout(SECONDS):
        while len(ended_well(server, name, transport)) < count:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


def ended_well(server: Server, name: str, transport: str) -> list[dict[str, Any]]:
    """Return the lines of the log of a server about operations of a name that ended well."""
    wanted = {"event": "operation", "operation": name, "transport": transport, "outcome": "ok"}
    lines = [json.loads(line) for line in server.log.splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if wanted.items() <= line.items()]


Write = Callable[[bytes], Awaitable[None]]


@asynccontextmanager
async def deaf(address: str, first: bytes | None = None) -> AsyncIterator[Write]:
    """Open a socket of a client that is introduced, or send something else first, and then never read; give a pen."""
    loop, to = asyncio.get_running_loop(), urlsplit(address)
    with plain.socket() as ours:
        ours.setsockopt(plain.SOL_SOCKET, plain.SO_RCVBUF, 4_096)
        ours.setblocking(False)
        await loop.sock_connect(ours, (to.hostname, to.port))
        await loop.sock_sendall(ours, first or handshake(address))
        if first is None:
            assert b" 101 " in await loop.sock_recv(ours, 1_000)
            await loop.sock_sendall(ours, frame({"type": "connection_init"}))
        yield lambda data: loop.sock_sendall(ours, data)
