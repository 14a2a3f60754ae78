"""The connection limit: a connection beyond it is refused at once, and a process never runs out of files."""

import asyncio
import json
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from marginalia import file_limits
from marginalia.observability.throttle import Throttle
from marginalia.transports import connection_limit
from marginalia.transports.connection_limit import ConnectionLimit, throttle_accept_errors
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.edge.protocols import Listening, answers, connected, serving
from tests.edge.protocols import anyio_backend as anyio_backend
from tests.edge.sockets import SECONDS, handshake
from tests.edge.test_slow_clients import REQUEST, greet
from tests.support.processes import COMMAND, Server, environment, running, running_process

FILES = 300
"""How many files a server may have open that is short of them: it keeps 140 of them for connections."""


async def test_a_connection_too_many_is_refused_without_being_read(log: Log) -> None:
    limit = ConnectionLimit(2)
    async with serving(greet, connection_limit=limit) as (address, state), connected(address) as (reader, writer):
        writer.write(REQUEST)
        await reader.readuntil(b"ok")
        async with connected(address) as (other_reader, other):
            other.write(REQUEST)
            await other_reader.readuntil(b"ok")
            for sent in (b"", REQUEST, b"\0" * 100):
                answer = await answers(address, sent)
                assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
                assert b"\r\nretry-after: 5\r\n" in answer
                assert b"\r\nconnection: close\r\n" in answer
            assert len(state.connections) == 2
            writer.write(REQUEST)
            await reader.readuntil(b"ok")
        assert limit.refused == 3
    (line,) = log.complaints()
    assert (line["event"], line["level"], line["count"], line["limit"]) == ("connections refused", "warning", 1, 2)


async def test_a_socket_counts_as_one_connection() -> None:
    async with (
        serving(Listening(), connection_limit=ConnectionLimit(1)) as (address, _),
        connected(address) as (reader, ours),
    ):
        ours.write(handshake(address))
        await reader.readuntil(b"\r\n\r\n")
        assert (await answers(address, b"")).startswith(b"HTTP/1.1 503 ")


def test_what_happens_often_is_logged_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    throttled = Throttle()
    counts = [throttled.count() for _ in range(5_000)]
    assert (counts[0], sum(counts)) == (1, 1)
    now += 1.0
    assert throttled.count() == 5_000


async def test_accepting_without_files_is_logged_once_a_second(log: Log) -> None:
    loop = asyncio.get_running_loop()
    try:
        throttle_accept_errors(loop)
        for _ in range(5_000):
            loop.call_exception_handler(
                {"message": connection_limit._OUT_OF_FILES, "exception": OSError(24, "No files")}
            )
        loop.call_exception_handler({"message": "Another one"})
    finally:
        loop.set_exception_handler(None)
    accepting, other = log.complaints()
    assert (accepting["event"], accepting["count"]) == ("cannot accept connections", 1)
    assert other["event"] == "Another one"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_metrics_count_refused_connections(serve: Serve) -> None:
    async with serve(max_connections=1) as client:
        limit = client.http._transport.app.state.connection_limit  # type: ignore[attr-defined]
        assert limit.most == 1
        limit.refused += 3
        text = (await client.http.get("/metrics")).text
    assert "marginalia_connections_refused_total 3.0" in text


@pytest.mark.parametrize(
    ("soft", "most", "room"),
    [(1_024, 5_000, 864), (1_024, 100, 100), (100, 5_000, 25), (resource.RLIM_INFINITY, 5_000, 5_000)],
)
def test_the_limit_of_open_files_has_room_for_all_connections(
    monkeypatch: pytest.MonkeyPatch, soft: int, most: int, room: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    assert file_limits.room_for_connections(most, pool_size=10) == room


def test_a_file_limit_that_cannot_be_raised_is_logged(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    def refuse(_which: int, _limits: Any) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1_024))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    file_limits.raise_to_hard_limit()
    (line,) = log.complaints()
    assert (line["event"], line["soft"], line["hard"]) == ("file limit not raised", 256, 1_024)


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.thorough), "2"])
def test_a_server_may_open_as_many_files_as_the_system_allows(tmp_path: Path, workers: str) -> None:
    with running_process(f"sqlite:///{tmp_path}/marginalia.db", "--workers", workers) as server:
        assert httpx.get(f"{server.address}/livez", timeout=60).status_code == 200
        started = [json.loads(line) for line in server.log.splitlines()]
        (process_id, *_) = [line["process_id"] for line in started if line["event"] == "process started"]
        soft, hard = resource.prlimit(process_id, resource.RLIMIT_NOFILE)
        assert soft == hard


WITHOUT_UVLOOP = "import sys; sys.modules['uvloop'] = None"
SHORT = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES}))"
MAIN = "import sys; from marginalia.cli.commands import main; sys.argv[0] = 'marginalia'; main()"


@contextmanager
def short_of_files(tmp_path: Path, loop: str, *, reserved: int) -> Iterator[Server]:
    """Run a server that may open few files."""
    code = [SHORT, f"import marginalia.file_limits as f; f.RESERVED_FILES = {reserved}", MAIN]
    if loop == "asyncio":
        code.insert(0, WITHOUT_UVLOOP)
    url = f"sqlite:///{tmp_path}/marginalia.db"
    with running(
        [COMMAND[0], "-c", "; ".join(code), "serve", "--port", "0", "--database", url], environment()
    ) as server:
        yield server


@pytest.mark.skipif(sys.platform == "win32", reason="it has no limits of open files")
@pytest.mark.parametrize(
    ("reserved", "loop"),
    [
        pytest.param(100, "uvloop", id="limited-uvloop"),
        pytest.param(100, "asyncio", id="limited-asyncio"),
        pytest.param(-10_000, "uvloop", id="unlimited-uvloop", marks=pytest.mark.thorough),
        pytest.param(-10_000, "asyncio", id="unlimited-asyncio"),
    ],
)
def test_a_server_outlives_more_connections_than_it_has_files(tmp_path: Path, loop: str, reserved: int) -> None:
    with (
        short_of_files(tmp_path, loop, reserved=reserved) as server,
        httpx.Client(base_url=server.address, timeout=SECONDS) as client,
    ):
        assert client.get("/livez").status_code == 200
        with ExitStack() as stack:
            address = urlsplit(server.address)
            for _ in range(2 * FILES):
                caller = stack.enter_context(socket.socket())
                caller.setblocking(False)
                caller.connect_ex((address.hostname, address.port))
            for _ in range(20):
                assert client.get("/livez").status_code == 200, "who is connected is served"
        for _ in range(100):
            try:
                assert httpx.get(f"{server.address}/livez", timeout=SECONDS).status_code == 200
                break
            except (httpx.TransportError, AssertionError):
                pass
        lines = [json.loads(line) for line in server.log.splitlines()]
    loud = [line for line in lines if line["level"] != "info"]
    assert len(loud) < 30
    assert {line["event"] for line in loud} <= {"connections refused", "cannot accept connections"}
    # asyncio accepts thousands before the first is refused; uvloop closes those without a file, and says nothing.
    told = "connections refused" if reserved > 0 else "cannot accept connections"
    assert told in {line["event"] for line in loud} or (loop, reserved > 0) == ("uvloop", False)
