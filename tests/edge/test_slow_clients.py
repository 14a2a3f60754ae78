"""Slow clients: each has its time to send a request and to read an answer, and a process does not wait longer."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from websockets.frames import Opcode

from marginalia.transports import http_requests, uploads, watchdog
from marginalia.transports.watchdog import Watchdog, WriteStall
from marginalia.transports.websocket import SocketLimits
from tests.edge.conftest import Log
from tests.edge.protocols import MUCH, Listening, connected, serving, until
from tests.edge.protocols import anyio_backend as anyio_backend
from tests.edge.protocols import in_a_hurry as in_a_hurry
from tests.edge.sockets import SECONDS, Write, deaf, frame, handshake

on_uvloop = pytest.mark.parametrize(
    "anyio_backend",
    [pytest.param(True, id="uvloop"), pytest.param(False, id="asyncio", marks=pytest.mark.thorough)],
    indirect=True,
)
"""For what takes a second: on the other loop in a thorough run."""

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once, whatever is asked."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def tell_much(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with more than the way to a client holds: in one piece, or in many."""
    pieces = 1 if scope["path"] == "/whole" else 1_000
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(pieces):
        await send({"type": "http.response.body", "body": b"x" * (len(MUCH) // pieces), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def test_the_times_are_those_that_are_documented() -> None:
    assert http_requests.HEAD_TIMEOUT_S == 10
    assert watchdog.WRITE_STALL_TIMEOUT_S == 10
    assert uploads.UPLOAD_TIMEOUT_S == 60
    assert SocketLimits.init_seconds == 10


@pytest.fixture(autouse=True)
def no_fault(log: Log) -> Iterator[None]:
    """Insist that slow clients are no news for who reads the log."""
    yield
    assert log.complaints() == []


@pytest.mark.usefixtures("in_a_hurry")
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"\r\n\r\n", b"", id="empty lines"),
        pytest.param(b"G", b"HTTP/1.1 408 ", id="a letter"),
        pytest.param(REQUEST[:-2], b"HTTP/1.1 408 ", id="half a header"),
        pytest.param(handshake("http://localhost")[:-2], b"HTTP/1.1 408 ", id="half a handshake"),
        pytest.param(REQUEST + b"GET", b"HTTP/1.1 200 ", id="half a second request"),
        pytest.param(POST, b"HTTP/1.1 200 ", id="a body that nobody waits for"),
    ],
)
async def test_a_connection_that_does_not_finish_its_request_is_closed(sent: bytes, answer: bytes) -> None:
    async with serving(greet) as (address, _), connected(address) as (reader, writer), asyncio.timeout(SECONDS):
        writer.write(sent)
        received = await reader.read()
    assert received.startswith(answer)
    assert bool(received) == bool(answer)


@pytest.mark.usefixtures("in_a_hurry")
async def test_a_request_that_trickles_in_has_no_more_time() -> None:
    async with serving(greet) as (address, _), connected(address) as (reader, writer):
        writer.write(REQUEST[:-2])
        reading = asyncio.create_task(reader.read())
        async with asyncio.timeout(SECONDS):
            while not reading.done():
                writer.write(b"X: y\r\n")
                await asyncio.sleep(0.02)
        assert reading.result().startswith(b"HTTP/1.1 408 ")


@on_uvloop
@pytest.mark.slow
@pytest.mark.usefixtures("in_a_hurry")
async def test_a_connection_between_requests_has_the_time_of_keep_alive() -> None:
    async with serving(greet) as (address, _), connected(address) as (reader, writer), asyncio.timeout(SECONDS):
        for _ in range(2):
            writer.write(REQUEST)
            await reader.readuntil(b"ok")
            await asyncio.sleep(0.5)
        assert not reader.at_eof()
    async with serving(greet, keep_alive=0) as (address, _), connected(address) as (reader, writer):
        writer.write(REQUEST)
        async with asyncio.timeout(SECONDS):
            assert (await reader.read()).endswith(b"ok")


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_hurry")
async def test_a_client_has_time_while_it_waits_for_us() -> None:
    go_on = asyncio.Event()

    async def think(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await greet(scope, receive, send)

    async with serving(think) as (address, _), connected(address) as (reader, writer), asyncio.timeout(SECONDS):
        writer.write(REQUEST + REQUEST[:-2])
        await asyncio.sleep(0.5)
        go_on.set()
        await reader.readuntil(b"ok")
        writer.write(b"\r\n")
        await reader.readuntil(b"ok")


@pytest.mark.usefixtures("in_a_hurry")
@pytest.mark.parametrize("path", ["/whole", "/pieces"])
async def test_a_reader_that_takes_nothing_is_cut(path: str) -> None:
    async with serving(tell_much) as (address, state), deaf(address, REQUEST.replace(b"/", path.encode(), 1)):
        await until(lambda: bool(state.tasks))
        await until(lambda: not state.connections and not state.tasks)


@on_uvloop
@pytest.mark.slow
@pytest.mark.usefixtures("in_a_hurry")
async def test_a_reader_that_takes_little_by_little_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "WRITE_STALL_TIMEOUT_S", 1.0)
    async with serving(tell_much) as (address, _), connected(address) as (reader, writer), asyncio.timeout(60):
        writer.write(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        received = 0
        while piece := await reader.read(2_000_000):
            received += len(piece)
            await asyncio.sleep(0.02)
    assert received > len(MUCH)


@on_uvloop
@pytest.mark.slow
async def test_pings_whose_pongs_nobody_reads_are_not_read_either() -> None:
    ping = frame(b"x" * 125, Opcode.PING) * 1_000
    async with serving(Listening()) as (address, state), deaf(address) as write:
        with pytest.raises(TimeoutError):
            await _write_on(write, ping)
        (connection,) = state.connections
        assert connection.transport.get_write_buffer_size() < 1_000_000
        assert not connection.transport.is_reading()


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_hurry")
async def test_a_socket_goes_on_when_its_pongs_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "WRITE_STALL_TIMEOUT_S", 60.0)
    count = 20_000
    async with serving(Listening()) as (address, _), connected(address) as (reader, writer):
        writer.write(handshake(address))
        await reader.readuntil(b"\r\n\r\n")
        writing = asyncio.create_task(_write(writer, frame(b"x" * 125, Opcode.PING), count))
        async with asyncio.timeout(60):
            await asyncio.sleep(0.5)  # the way is full by now, in both directions
            assert len(await reader.readexactly(127 * count)) == 127 * count
            await writing


async def _write_on(write: Write, data: bytes) -> None:
    while True:
        async with asyncio.timeout(1):
            await write(data)


async def _write(writer: asyncio.StreamWriter, piece: bytes, count: int) -> None:
    for _ in range(count):
        writer.write(piece)
        await writer.drain()


class Wire(asyncio.Transport):
    """A transport with as much to write as a test says."""

    size, aborted = 0, False

    def get_write_buffer_size(self) -> int:
        """Return what a test says."""
        return self.size

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


@pytest.mark.parametrize(
    ("paused", "sizes", "cut"),
    [
        pytest.param(False, [5] * 12, True, id="nothing is taken"),
        pytest.param(False, [5] * 9 + [0] + [5] * 9, False, id="all is taken"),
        pytest.param(False, [5] * 9 + [4] * 9, False, id="a part is taken"),
        pytest.param(False, [*range(5, 30)], False, id="more is written, and nobody knows"),
        pytest.param(True, [5, 5, 5, 5, 9, 9, 9, 9, 9, 12, 12, 12], True, id="a ping is written, and nothing taken"),
        pytest.param(True, [9] * 9 + [8] * 9, False, id="a part is taken of much"),
    ],
)
def test_a_stall_is_a_buffer_that_nobody_empties(paused: bool, sizes: list[int], cut: bool) -> None:
    wire = Wire()
    stall = WriteStall(wire, 0.0)
    if paused:
        stall.pause_writing()
    for now, wire.size in enumerate(sizes):
        stall.check(float(now))
    assert wire.aborted is cut


async def test_the_watchdogs_time_stands_still_while_the_process_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "CHECK_INTERVAL_S", 0.01)
    loop, times = asyncio.get_running_loop(), []

    class Connection:
        def check(self, now: float) -> None:
            times.append(now)

    connections: list[Any] = [Connection()]
    dog = Watchdog.of({}, loop, connections)
    dog._checked_at -= 1_000
    await until(lambda: len(times) > 2)
    connections.clear()
    assert times[0] <= 0.02
    assert times == sorted(times)
