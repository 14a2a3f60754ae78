"""The servers to measure: ours, earlier checkouts of ours, two baselines in Python, and three peers on Node.js."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.setup import Setup
from tests.support import processes
from tests.support.processes import ROOT

PEERS = ROOT / "benchmarks/peers"

OURS = "marginalia"


class CannotStart(Exception):
    """A server cannot be started. The text says which one and why."""


@dataclass(frozen=True)
class Kind:
    """A server that can be started."""

    name: str
    title: str
    command: Sequence[str]
    folder: Path = ROOT
    sqlite: bool = False
    graphql: bool = True
    subscriptions: bool = True


@dataclass(frozen=True)
class Server:
    """A running server, and the database it serves."""

    kind: Kind
    address: str
    process_id: int
    database_url: str

    @property
    def name(self) -> str:
        """The name of the server."""
        return self.kind.name


def node(script: str) -> Sequence[str]:
    """Return the command that runs a script of the peers."""
    return [shutil.which("node") or "node", script]


def _ours(name: str, title: str, folder: Path = ROOT, *, sqlite: bool = False) -> Kind:
    return Kind(name, title, [sys.executable, "-m", "marginalia", "serve", "--port", "0"], folder, sqlite)


def _baseline(name: str, title: str, module: str, *, graphql: bool = True) -> Kind:
    command = [sys.executable, "-m", "benchmarks.serve", f"benchmarks.{module}:from_environment"]
    return Kind(name, title, command, graphql=graphql, subscriptions=False)


def _peer(name: str, title: str) -> Kind:
    return Kind(name, title, node(f"{name}.mjs"), PEERS)


KINDS = {
    kind.name: kind
    for kind in (
        _ours(OURS, "Marginalia on PostgreSQL"),
        _ours("marginalia-sqlite", "Marginalia on SQLite", sqlite=True),
        _baseline(
            "handwritten", "A handler without GraphQL: Starlette, asyncpg, uvloop", "baseline_http", graphql=False
        ),
        _baseline("strawberry", "A plain Strawberry server: asyncpg, DataLoader, uvloop", "baseline_strawberry"),
        _peer("mercurius", "Mercurius with graphql-jit, on Fastify"),
        _peer("apollo", "Apollo Server on Fastify"),
        _peer("yoga", "GraphQL Yoga on node:http"),
    )
}
"""The servers by name."""


def checkout(name: str, path: str) -> Kind:
    """Return an earlier checkout of ours as a server. It runs with our packages, on our database."""
    folder = Path(path).resolve()
    if not (folder / "marginalia/__main__.py").is_file():
        raise CannotStart(f"{name}: there is no checkout of Marginalia at {folder}")
    return _ours(name, f"Marginalia, another checkout: {name}", folder)


def needs_node(kind: Kind) -> bool:
    """Return whether a server runs on Node.js."""
    return kind.folder == PEERS


def has_node() -> bool:
    """Return whether this machine has Node.js with npm."""
    return bool(shutil.which("node") and shutil.which("npm"))


def install_peers() -> None:
    """Install the packages that the lock file names, unless they are there. Raises `CannotStart`."""
    lock = hashlib.sha256((PEERS / "package-lock.json").read_bytes()).hexdigest()
    installed = PEERS / "node_modules/.installed"
    if installed.is_file() and installed.read_text() == lock:
        return
    ran = subprocess.run(  # noqa: S603 - a fixed command
        [shutil.which("npm") or "npm", "ci", "--ignore-scripts"],
        cwd=PEERS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        raise CannotStart(f"npm could not install the peers\n{ran.stdout}\n{ran.stderr}")
    installed.write_text(lock)


@contextmanager
def running(kind: Kind, setup: Setup) -> Iterator[Server]:
    """Run a server, with its default logging. Raises `CannotStart`."""
    url = setup.sqlite_url if kind.sqlite else setup.database_url
    environment = processes.environment(database_url=url) | {"NODE_ENV": "production"}
    running = processes.running(kind.command, environment, kind.folder)
    try:
        started = running.__enter__()
    except (AssertionError, OSError) as error:
        raise CannotStart(f"{kind.name} cannot start: {error}") from error
    try:
        yield Server(kind, started.address, started.process.pid, url)
    finally:
        running.__exit__(None, None, None)
