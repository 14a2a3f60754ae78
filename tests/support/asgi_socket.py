"""Sockets to an application in this process: what a WebSocket server would pass on, without the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.support.client import Served

PROTOCOL = "graphql-transport-ws"
SECONDS = 20
"""How long anything may take on a slow and busy machine."""


class AsgiSocket:
    """A socket to an application."""

    def __init__(self) -> None:
        self.sent = asyncio.Queue[dict[str, Any]]()
        self.received = asyncio.Queue[dict[str, Any]]()

    async def send(self, message: Any) -> None:
        """Send a message."""
        await self.sent.put({"type": "websocket.receive", "text": json.dumps(message)})

    async def receive(self) -> Any:
        """Wait for the next message; of a close, return the code."""
        async with asyncio.timeout(SECONDS):
            event = await self.received.get()
        return event["code"] if event["type"] == "websocket.close" else json.loads(event["text"])

    async def init(self, payload: Mapping[str, Any] | None = None) -> Any:
        """Introduce oneself, and return the answer."""
        await self.send({"type": "connection_init", **({"payload": payload} if payload is not None else {})})
        return await self.receive()

    async def subscribe(self, name: str, query: str, **variables: Any) -> None:
        """Ask for an operation."""
        payload = {"query": query, "variables": variables}
        await self.send({"type": "subscribe", "id": name, "payload": payload})


@asynccontextmanager
async def asgi_socket(client: Served, headers: Mapping[str, str] | None = None) -> AsyncIterator[AsgiSocket]:
    """Open a socket to an application, and close it."""
    socket = AsgiSocket()
    fields = {"host": "localhost", **(headers or {})}
    scope = {
        "type": "websocket",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in fields.items()],
        "subprotocols": [PROTOCOL],
        "scheme": "ws",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
    }
    app = client.http._transport.app  # type: ignore[attr-defined]
    await socket.sent.put({"type": "websocket.connect"})
    serving = asyncio.create_task(app(scope, socket.sent.get, socket.received.put))
    async with asyncio.timeout(SECONDS):
        assert (await socket.received.get())["type"] == "websocket.accept"
    yield socket
    await socket.sent.put({"type": "websocket.disconnect", "code": 1000})
    async with asyncio.timeout(SECONDS):
        await serving
