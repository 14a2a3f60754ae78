"""Sockets: a client of graphql-transport-ws that sends what it is told to, right or wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PROTOCOL = "graphql-transport-ws"
SECONDS = 20
"""How long anything may take on a slow and busy machine."""


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
