"""Connections without a request: kept for longer than a proxy keeps them, and for no moment after the end."""

import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from marginalia.settings import Settings
from tests.edge.sockets import SECONDS
from tests.support.processes import Server, running_process

ASK = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
PROXYS_OWN_S = 75
"""For how long nginx keeps a connection, and AWS's balancer, at 60, a little less."""


def connect(server: Server) -> socket.socket:
    address = urlsplit(server.address)
    return socket.create_connection((address.hostname, address.port), timeout=SECONDS)


def answered(caller: socket.socket) -> bool:
    """Ask over a connection, and tell whether it was still there to be asked over."""
    caller.sendall(ASK)
    answer = b""
    while piece := caller.recv(1_000):
        answer += piece
        if answer.endswith(b"ok\n"):
            return True
    return False


@pytest.mark.thorough
def test_a_connection_waits_longer_for_its_next_request_than_pools_do(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/marginalia.db"
    with running_process(url, "--workers", "2") as server, connect(server) as caller:
        assert answered(caller)
        time.sleep(6.5)  # uvicorn would close it after 5
        assert answered(caller)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_setting_says_how_long_a_connection_is_kept(tmp_path: Path, workers: str) -> None:
    assert Settings.model_fields["keep_alive_seconds"].default > PROXYS_OWN_S
    url = f"sqlite:///{tmp_path}/marginalia.db"
    with running_process(url, "--workers", workers, keep_alive_seconds=1) as server, connect(server) as caller:
        assert answered(caller)
        assert caller.recv(1_000) == b"", "it is closed within the time that the socket of the test waits"


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.thorough), "2"])
def test_the_end_of_a_server_does_not_wait_for_connections_without_a_request(tmp_path: Path, workers: str) -> None:
    url = f"sqlite:///{tmp_path}/marginalia.db"
    with running_process(url, "--workers", workers, keep_alive_seconds=3600) as server, connect(server) as caller:
        assert answered(caller)
        server.process.send_signal(signal.SIGTERM)
        assert caller.recv(1_000) == b""
        assert server.process.wait(timeout=SECONDS) == 0
