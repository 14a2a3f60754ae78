"""Serving: what a server prints and logs, that what it prints works, and how it ends."""

import json
import re
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from marginalia.startup import SOUND_SQLITE
from tests.support.processes import running_process, running_server

COUNT = "{ documents(first: 100) { edges { node { id createdAt } } } }"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Give the URL of an SQLite file that does not exist yet, in a folder that does not exist either."""
    return f"sqlite:///{tmp_path}/new/marginalia.db"


def ask(address: str, query: str) -> str:
    return httpx.post(f"{address}/graphql", json={"query": query}).text


def test_the_addresses_that_are_printed_answer(url: str) -> None:
    with running_process(url) as server:
        printed = re.findall(r"^(\w+) +(http://\S+)$", server.output, re.MULTILINE)
        assert [name for name, _ in printed] == ["GraphQL", "Explorer", "Health"]
        answers = [httpx.get(address, params={"query": "{ __typename }"}).status_code for _, address in printed]

    assert answers == [200, 200, 200]


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
        assert ask(server.address, "{ __typename }") == '{"data":{"__typename":"Query"}}'
        deadline = time.monotonic() + 20
        while server.log.count("Application startup complete.") < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        records = [json.loads(line) for line in server.log.splitlines()]

    warnings = [record for record in records if record["level"] == "warning"]
    if sqlite3.sqlite_version_info < SOUND_SQLITE:
        (warning,) = warnings
        assert warning["sqlite"] == sqlite3.sqlite_version
        assert "several processes" in warning["event"]
    else:
        assert not warnings


def test_one_worker_is_safe_with_any_sqlite(url: str) -> None:
    with running_process(url) as server:
        ask(server.address, COUNT)
        levels = {json.loads(line)["level"] for line in server.log.splitlines()}

    assert levels == {"info"}


def test_what_is_not_for_a_terminal_is_json(url: str) -> None:
    with running_process(url) as server:
        ask(server.address, "query Named { __typename }")
        httpx.get(f"{server.address}/livez")
        records = [json.loads(line) for line in server.log.splitlines()]

    assert all({"event", "level", "logger", "timestamp"} <= record.keys() for record in records)
    (operation,) = [record for record in records if record["event"] == "operation"]
    assert (operation["operation"], operation["errors"]) == ("Named", 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_each_name_of_this_machine_can_be_served(url: str, host: str) -> None:
    with running_server(url, "--host", host) as address:
        assert ask(address, "{ __typename }") == '{"data":{"__typename":"Query"}}'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_well_and_soon(url: str, number: signal.Signals) -> None:
    with running_process(url) as server:
        ask(server.address, "{ __typename }")
        started = time.monotonic()
        server.process.send_signal(number)
        code = server.process.wait(timeout=10)
        took = time.monotonic() - started

    assert code == 0
    assert took < 5
    assert server.process.returncode == 0


def test_a_server_that_is_told_to_stop_at_once_ends_well(url: str) -> None:
    with running_process(url) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=10) == 0


def test_a_request_that_does_not_end_does_not_keep_a_server(url: str) -> None:
    with running_process(url) as server:
        address = urlsplit(server.address)
        with socket.create_connection((address.hostname, address.port)) as caller:
            caller.sendall(b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            caller.sendall(b"Content-Length: 1000\r\n\r\n{")
            ask(server.address, "{ __typename }")
            started = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=20) == 0
            assert time.monotonic() - started < 15
