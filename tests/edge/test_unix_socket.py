"""Unix sockets: served, guarded by the rights of their file, and cleaned up."""

import asyncio
import os
import signal
import socket as plain
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import unix_connect
from websockets.typing import Subprotocol

from marginalia import unix_socket
from marginalia.server import CannotListen
from tests.edge.sockets import PROTOCOL, SECONDS, Socket
from tests.support.processes import run, running_process

QUERY = {"query": "{ __typename }"}
ANSWER = {"data": {"__typename": "Query"}}


@pytest.fixture
def path() -> Iterator[Path]:
    with TemporaryDirectory(prefix="marginalia-") as folder:  # a short name: the path of a socket has 107 bytes
        yield Path(folder) / "m.sock"


def ask(path: Path, method: str, url: str, **options: Any) -> httpx.Response:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=60) as http:
        return http.request(method, url, **options)


def post(path: Path) -> object:
    return ask(path, "POST", "http://localhost/graphql", json=QUERY).json()


async def over_a_socket(path: Path) -> object:
    offered = [Subprotocol(PROTOCOL)]
    async with unix_connect(str(path), "ws://localhost/graphql", subprotocols=offered) as connection:
        opened = Socket(connection)
        await opened.init()
        return await opened.result("a", QUERY["query"])


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.thorough)])
def test_a_server_answers_on_a_unix_socket(tmp_path: Path, path: Path, workers: str) -> None:
    with running_process(f"sqlite:///{tmp_path}/m.db", "--uds", str(path), "--workers", workers, "--demo") as server:
        assert f"Socket    {path}\n" in server.output
        assert post(path) == ANSWER
        (line,) = [line for line in server.output.splitlines() if line.startswith("curl ")]
        pasted = subprocess.run(line, shell=True, capture_output=True, check=True, timeout=30)  # noqa: S602
        assert b'"ChatSession"' in pasted.stdout
        assert asyncio.run(over_a_socket(path)) == ANSWER
        assert ask(path, "GET", "http://localhost/metrics").status_code == 200
        assert ask(path, "GET", "http://localhost/metrics", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 404
        assert ask(path, "POST", "http://evil.example/graphql", json=QUERY).status_code == 400
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=SECONDS) == 0
        assert not path.exists()


@pytest.mark.slow
def test_the_file_of_a_killed_server_is_replaced_and_that_of_a_live_one_is_not(tmp_path: Path, path: Path) -> None:
    left = plain.socket(plain.AF_UNIX)
    left.bind(str(path))
    left.listen()
    left.close()
    assert path.is_socket()
    url = f"sqlite:///{tmp_path}/m.db"
    with running_process(url, "--uds", str(path)):
        assert post(path) == ANSWER
        second = run("serve", "--uds", str(path), "--database", url)
        assert (second.returncode, second.stderr) == (1, f"marginalia: Cannot listen on {path}: another server does.\n")
        assert post(path) == ANSWER


def test_the_file_is_for_the_owner_and_the_group(path: Path) -> None:
    before = os.umask(0)
    try:
        with unix_socket.listen(path):
            assert stat.filemode(path.stat().st_mode) == "srw-rw----"
        assert os.umask(0) == 0, "the mask of the process is as before"
    finally:
        os.umask(before)


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")

    with pytest.raises(CannotListen, match="it exists, and is not a socket"):
        unix_socket.listen(path)

    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["x" * 200, "none/m.sock", "a\0b"])
def test_a_path_that_cannot_be_is_explained(path: Path, name: str) -> None:
    with pytest.raises(CannotListen, match="Cannot listen on "):
        unix_socket.listen(path.parent / name)


def test_the_socket_of_a_successor_is_not_removed(path: Path) -> None:
    with unix_socket.listen(path), unix_socket.removed_at_the_end(path):
        path.rename(path.with_name("old"))
        path.touch()
    assert path.exists()
