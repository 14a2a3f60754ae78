"""Connections whose clients do not read: none is kept for ever, whether it is open or closed already."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from uvicorn.protocols.utils import ClientDisconnected
from websockets.frames import Opcode

from marginalia.transports.socket_connection import SocketConnection
from tests.api import operations
from tests.edge.protocols import Telling, serving, until
from tests.edge.protocols import anyio_backend as anyio_backend
from tests.edge.protocols import in_a_hurry as in_a_hurry
from tests.edge.sockets import LARGE, SECONDS, deaf, frame, socket, until_ended
from tests.support.client import Client
from tests.support.processes import running_process


@pytest.mark.usefixtures("in_a_hurry")
@pytest.mark.parametrize(
    "last",
    [
        pytest.param(b"", id="silent"),
        pytest.param(frame(b"\x03\xe8", Opcode.CLOSE), id="farewell"),
        pytest.param(frame(b"\xff"), id="no UTF-8"),
    ],
)
async def test_a_client_that_does_not_read_is_left(last: bytes) -> None:
    app = Telling()
    async with serving(app) as (address, state), deaf(address) as write:
        async with asyncio.timeout(SECONDS):
            await app.told.wait()
            await write(last)
            await app.over.wait()
        await until(lambda: not state.connections)


async def test_nothing_is_written_to_a_client_that_left() -> None:
    app = Telling()
    async with serving(app) as (address, state), socket(address, init=False) as ours:
        (connection,) = state.connections
        assert isinstance(connection, SocketConnection)
        connection.transport.close()
        with pytest.raises(ClientDisconnected):
            await connection.send({"type": "websocket.send", "text": "anybody?"})
        await ours.closed()


async def test_the_end_of_the_server_is_not_kept_by_a_client_that_said_farewell_and_does_not_read() -> None:
    app = Telling()
    async with serving(app) as (address, state), deaf(address) as write:
        async with asyncio.timeout(SECONDS):
            await app.told.wait()
            await write(frame(b"\x03\xe8", Opcode.CLOSE))
            for connection in list(state.connections):
                connection.shutdown()
            await app.over.wait()
        await until(lambda: not state.connections)


async def test_a_connection_that_is_made_when_all_others_were_asked_to_end_ends_too() -> None:
    ending = asyncio.Event()
    async with serving(Telling(), ending=ending) as (address, state):
        earlier = await asyncio.open_connection(*address.removeprefix("http://").split(":"))
        async with asyncio.timeout(SECONDS):
            while not state.connections:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.02)
            ending.set()
            reader, later = await asyncio.open_connection(*address.removeprefix("http://").split(":"))
            assert await reader.read() == b""
            async with socket(address, init=False) as ours:
                await ours.closed()
        assert len(state.connections) == 1, "it is uvicorn that asks those that were there"
        for writer in (earlier[1], later):
            writer.close()


def test_a_server_that_is_told_to_stop_leaves_clients_that_do_not_read(tmp_path: Path) -> None:
    async def stop() -> str:
        with running_process(f"sqlite:///{tmp_path}/marginalia.db") as server:
            async with httpx.AsyncClient(base_url=server.address, timeout=SECONDS) as http:
                client = Client(http)
                document = await operations.import_document(client, "# A\n\n" + "x" * 300_000)
                query = {"query": LARGE, "variables": {"d": document}}
                async with deaf(server.address) as write, deaf(server.address, post(query)):
                    await write(frame({"type": "subscribe", "id": "a", "payload": query}))
                    await until_ended(server, "Large", "websocket", 1)
                    await until_ended(server, "Large", "sse", 1)
                    server.process.terminate()
                    await asyncio.to_thread(server.process.wait, SECONDS)
            return server.log

    levels = {json.loads(line)["level"] for line in asyncio.run(stop()).splitlines()}
    assert levels == {"info"}


def post(call: object) -> bytes:
    """Return a request for a stream of events."""
    body = json.dumps(call).encode()
    fields = ["Host: localhost", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines = ["POST /graphql HTTP/1.1", *fields, "Accept: text/event-stream", "", ""]
    return "\r\n".join(lines).encode() + body
