"""PgBouncer: a pooler in front of the PostgreSQL of the tests, in a process of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.support.ports import free_port


@dataclass
class PgBouncer:
    """A pooler that can be killed, and started again on the same port."""

    command: list[str]
    port: int
    target: str
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def url(self, database_url: str) -> str:
        """Return the URL of a database of the server, through the pooler."""
        name = urlsplit(database_url).path
        return f"postgresql://{_user(self.target)}@127.0.0.1:{self.port}{name}?sslmode=disable"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def binary() -> str:
    """Return the path of PgBouncer; without one the test is skipped, or fails where everything has to be there."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = "No pgbouncer here: install the package of that name."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def running(server_url: str, mode: str, *, size: int, **options: object) -> Iterator[PgBouncer]:
    """Run a pooler in a mode, with `size` connections to each database of a server; `options` go into its file."""
    found = binary()
    with tempfile.TemporaryDirectory(prefix="marginalia-pgbouncer-") as name:
        file = Path(name) / "pgbouncer.ini"
        port = free_port()
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "any",  # the server lets us in as who is named for the database
            "pool_mode": mode,
            "default_pool_size": size,
            "max_client_conn": 500,
            "server_login_retry": 1,
            **options,
        }
        lines = [f"{key} = {value}" for key, value in settings.items()]
        file.write_text("\n".join(["[databases]", f"* = {_target(server_url)}", "[pgbouncer]", *lines, ""]))
        command = [found, *_as_somebody(server_url), str(file)]
        pooler = PgBouncer(command, port, server_url, Path(name) / "log")
        pooler.start()
        try:
            yield pooler
        finally:
            pooler.kill()


def _target(server_url: str) -> str:
    address = urlsplit(server_url)
    folder = parse_qs(address.query).get("host")
    host = folder[0] if folder else address.hostname
    password = f" password='{unquote(address.password)}'" if address.password else ""
    return f"host={host} port={address.port or 5432} user={_user(server_url)}{password}"


def _user(server_url: str) -> str:
    return urlsplit(server_url).username or "postgres"


def _as_somebody(server_url: str) -> list[str]:
    """Return the option by which it runs as who may reach the socket of the server: it refuses to run as root."""
    if os.getuid() != 0:
        return []
    folder = parse_qs(urlsplit(server_url).query).get("host")
    owner = pwd.getpwuid(os.stat(folder[0]).st_uid).pw_name if folder else "nobody"
    return ["-u", owner if owner != "root" else "nobody"]
