"""Redis: a server of a test's own, in a process that can be killed and started again."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.support.ports import free_port


@dataclass
class Redis:
    """A server that keeps nothing on disk."""

    command: list[str]
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as caller:
                caller.sendall(b"PING\r\n")
                return caller.recv(100) == b"+PONG\r\n"
        except OSError:
            return False


@contextmanager
def running() -> Iterator[Redis]:
    """Run a server; without one installed, the test is skipped, or fails where everything has to be there."""
    found = shutil.which("redis-server")
    if found is None:
        reason = "No redis-server here: install the package of that name."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="marginalia-redis-") as folder:
        port = free_port()
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder]
        server = Redis([found, *options], port)
        server.start()
        try:
            yield server
        finally:
            server.kill()
