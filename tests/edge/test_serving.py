"""Serving: what a server prints and logs, that what it prints works, and how it ends."""

import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette

from marginalia import server as serving
from marginalia.startup import SOUND_SQLITE
from tests.support import signed_in
from tests.support.processes import ROOT, Server, environment, running, running_process

COUNT = "{ documents(first: 100) { edges { node { id createdAt } } } }"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Give the URL of an SQLite file that does not exist yet, in a folder that does not exist either."""
    return f"sqlite:///{tmp_path}/new/marginalia.db"


def ask(address: str, query: str) -> str:
    # The first answer waits until a process has started, which takes long on a busy machine.
    return httpx.post(f"{address}/graphql", json={"query": query}, timeout=60).text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a new SQLite file by the last of the three names of this machine."""
    with running_process(f"sqlite:///{tmp_path_factory.mktemp('server')}/new/marginalia.db", "--host", "::1") as server:
        yield server


def test_the_addresses_that_are_printed_answer(server: Server) -> None:
    printed = re.findall(r"^(\w+) +(http://\S+)$", server.output, re.MULTILINE)

    assert [name for name, _ in printed] == ["GraphQL", "Explorer", "Health"]
    for _, address in printed:
        assert address.startswith("http://[::1]:")
        assert httpx.get(address, params={"query": "{ __typename }"}).status_code == 200


def test_what_is_not_for_a_terminal_is_json_and_all_is_well(server: Server) -> None:
    httpx.post(f"{server.address}/graphql", json={"query": "query Named { __typename }", "operationName": "Named"})
    httpx.get(f"{server.address}/livez")

    records = [json.loads(line) for line in server.log.splitlines()]

    assert all({"event", "level", "logger", "timestamp"} <= record.keys() for record in records)
    assert {record["level"] for record in records} == {"info"}
    assert "Named" in [record.get("operation") for record in records]


def test_the_line_that_is_printed_works_when_it_is_pasted(url: str) -> None:
    with running_process(url, "--demo") as server:
        (line,) = [line for line in server.output.splitlines() if line.startswith("curl ")]
        first, second = (
            json.loads(subprocess.run(line, shell=True, capture_output=True, check=True, timeout=30).stdout)  # noqa: S602 - as it is pasted
            for _ in range(2)
        )
        documents = ask(server.address, COUNT)

    made, found = (answer["data"]["ensureSectionChat"] for answer in (first, second))
    assert (made["__typename"], made["ensured"]) == ("ChatSession", "CREATED")
    assert found == made | {"ensured": "FOUND"}

    with running_process(url, "--demo") as server:
        assert line.partition(" -H ")[2] in server.output
        assert ask(server.address, COUNT) == documents, "nothing was imported again"


def test_several_workers_serve_and_a_doubtful_sqlite_is_named(url: str) -> None:
    with running_process(url, "--workers", "2") as server:
        assert ask(server.address, "{ __typename }") == '{"data":{"__typename":"Query"}}\n'
        deadline = time.monotonic() + 20
        while server.log.count("process started") < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        records = [json.loads(line) for line in server.log.splitlines()]

    warnings = [record for record in records if record["level"] == "warning"]
    if sqlite3.sqlite_version_info < SOUND_SQLITE:
        (warning,) = warnings
        assert warning["sqlite"] == sqlite3.sqlite_version
        assert "several processes" in warning["event"]
    else:
        assert not warnings


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_well_and_soon(url: str, number: signal.Signals) -> None:
    with running_process(url) as server:
        ask(server.address, "{ __typename }")
        started = time.monotonic()
        server.process.send_signal(number)
        assert server.process.wait(timeout=10) == 0
        assert time.monotonic() - started < 5


def test_a_server_that_is_told_to_stop_at_once_ends_well(url: str) -> None:
    with running_process(url) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=10) == 0


def unstartable() -> Starlette:
    """Make an application that cannot start."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        raise RuntimeError("This cannot start")
        yield

    return Starlette(lifespan=lifespan)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_a_server_whose_processes_cannot_start_does_not_end_well(workers: int) -> None:
    application = f"{unstartable.__module__}:{unstartable.__name__}"
    run = f"lambda: None, workers={workers}, reload=False, application={application!r}"

    ended = subprocess.run(
        [sys.executable, "-c", f"from marginalia import server; server.run(server.listen('::1', 0), {run})"],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 3, ended.stderr
    assert "This cannot start" in ended.stderr


def test_with_tokens_other_machines_are_served(url: str) -> None:
    with running_process(url, "--host", "0.0.0.0", allowed_hosts="editor.example", **signed_in.SETTINGS) as server:  # noqa: S104
        assert server.address.startswith("http://127.0.0.1:")
        for host, status in ((urlsplit(server.address).netloc, 200), ("editor.example", 200), ("other.example", 400)):
            headers = {**signed_in.HEADERS, "Host": host}
            asked = httpx.get(f"{server.address}/graphql", params={"query": "{ __typename }"}, headers=headers)
            assert asked.status_code == status


IMPATIENT = "; ".join(
    [
        "import sys",
        "from marginalia.cli.commands import main",
        "from marginalia.transports import uploads",
        "uploads.PIECE_TIMEOUT_S = 1.0",
        "sys.argv[0] = 'marginalia'",
        "main()",
    ]
)


def test_a_request_that_does_not_end_does_not_keep_a_server(url: str) -> None:
    command = [sys.executable, "-c", IMPATIENT, "serve", "--port", "0", "--database", url]
    with running(command, environment()) as server:
        address = urlsplit(server.address)
        with socket.create_connection((address.hostname, address.port), timeout=20) as caller:
            caller.sendall(b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            caller.sendall(b"Content-Length: 1000\r\n\r\n{")
            assert ask(server.address, "{ __typename }") == '{"data":{"__typename":"Query"}}\n'
            server.process.send_signal(signal.SIGTERM)
            answer = caller.recv(1_000)
        assert server.process.wait(timeout=10) == 0

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_the_second_piece_of_an_answer_does_not_wait_for_the_first_to_be_acknowledged() -> None:
    with serving.listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        caller, _ = listening.accept()
        with caller:
            assert caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
