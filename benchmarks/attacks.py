"""`python -m benchmarks.attacks`: what clients that attack one server do to another client, its memory and its log.

The server may open 1,024 files and raise that no further. `--checkout` serves the code in another folder; it has to run
with the same Python and packages. Each attack lasts a dozen seconds.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx

from benchmarks.workloads import ENSURE
from tests.api import operations
from tests.support import processes
from tests.support.client import Client
from tests.support.processes import Server

FILES = 1_024
SECONDS = 14.0
"""How long each attack lasts: longer than the server waits for a slow client."""

READERS = 50
MARKDOWN = "# A\n\n" + "x" * 250_000
LARGE = "query ($s: ID!) { section(id: $s) {" + " ".join(f"c{n}: content" for n in range(40)) + "} }"
"""An answer of 10 MB."""

MANY = "{ documents(first: 100) { edges { node { sections(first: 100) { edges { cursor } } } } } }"
HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
PING = b"\x89\xfd\0\0\0\0" + b"x" * 125

Attack = Callable[[str, str], AbstractAsyncContextManager[None]]


def connect(address: str) -> socket.socket:
    """Start to connect a client that has little room for answers."""
    to = urlsplit(address)
    ours = socket.socket()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    ours.setblocking(False)
    ours.connect_ex((to.hostname, to.port))
    return ours


def post(query: str, **variables: str) -> bytes:
    """Return the bytes of a request."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    head = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def nothing(address: str, section: str) -> AsyncIterator[None]:
    """Attack with nothing at all."""
    yield


@asynccontextmanager
async def silent(address: str, section: str) -> AsyncIterator[None]:
    """Attack with 1,100 connections that send nothing."""
    clients = [connect(address) for _ in range(1_100)]
    yield
    for client in clients:
        client.close()


@asynccontextmanager
async def readers(address: str, section: str) -> AsyncIterator[None]:
    """Attack with 50 clients that never read an answer of 10 MB."""
    clients = [connect(address) for _ in range(READERS)]
    for client in clients:
        await asyncio.get_running_loop().sock_sendall(client, post(LARGE, s=section))
    yield
    for client in clients:
        client.close()


@asynccontextmanager
async def pings(address: str, section: str) -> AsyncIterator[None]:
    """Attack with pings over 5 WebSockets whose pongs nobody reads."""
    loop = asyncio.get_running_loop()

    async def send(client: socket.socket) -> None:
        try:
            await loop.sock_sendall(client, HANDSHAKE)
            await asyncio.sleep(1)
            while True:
                await loop.sock_sendall(client, PING * 500)
        except OSError:
            pass  # the server has had enough

    clients = [connect(address) for _ in range(5)]
    tasks = [asyncio.create_task(send(client)) for client in clients]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for client in clients:
        client.close()


@asynccontextmanager
async def edges(address: str, section: str) -> AsyncIterator[None]:
    """Attack with a query of 10,000 edges, again and again over 2 connections."""

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            while True:
                (await http.post("/graphql", json={"query": MANY})).raise_for_status()

    tasks = [asyncio.create_task(ask()) for _ in range(2)]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


ATTACKS: dict[str, Attack] = {
    "no attack": nothing,
    "1,100 silent connections": silent,
    "50 readers of 10 MB": readers,
    "pings without readers": pings,
    "10,000 edges": edges,
}


def memory(process_id: int) -> float:
    """Return the memory of a process in megabytes."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def newcomers(address: str, until: float) -> tuple[int, int]:
    """Connect anew every half second. Return how many tried, and how many were served."""
    tried = served = 0
    while time.monotonic() < until:
        tried += 1
        try:
            async with httpx.AsyncClient(base_url=address, timeout=2) as http:
                served += (await http.post("/graphql", json={"query": "{ __typename }"})).status_code == 200
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.5)
    return tried, served


async def measure(server: Server, name: str, attack: Attack, document: str, section: str, seconds: float) -> str:
    """Attack a server, ask for a chat meanwhile as another client does, and return a line about both."""
    took, most, lines = [], 0.0, server.log.count("\n")
    variables = {"docId": document, "sectionId": section}
    async with httpx.AsyncClient(base_url=server.address, timeout=30) as http, AsyncExitStack() as stack:
        await http.post("/graphql", json={"query": ENSURE, "variables": variables})
        await stack.enter_async_context(attack(server.address, section))
        until, failed = time.monotonic() + seconds, 0
        coming = asyncio.create_task(newcomers(server.address, until))
        while time.monotonic() < until:
            started = time.perf_counter()
            try:
                response = await http.post("/graphql", json={"query": ENSURE, "variables": variables})
                failed += response.status_code != 200
            except httpx.TransportError:
                failed += 1
            took.append((time.perf_counter() - started) * 1_000)
            most = max(most, memory(server.process.pid))
            await asyncio.sleep(0.005)
        tried, served = await coming
    # The log has a line for each operation, which is no news here.
    logged = sum('"marginalia.access"' not in line for line in server.log.splitlines()[lines:])
    took.sort()
    p50, p99 = (took[int(len(took) * part)] for part in (0.5, 0.99))
    left = memory(server.process.pid)
    new = f"{served}/{tried}"
    return f"{name:26} {p50:8.1f} {p99:9.1f} {took[-1]:9.1f} {failed:7} {new:>9} {most:8.0f} {left:8.0f} {logged:8,}"


async def prepare(address: str) -> tuple[str, str]:
    """Import the documents. Return a large one, and a section whose chat exists."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as http:
        client = Client(http)
        large = await operations.import_document(client, MARKDOWN)
        many = "".join(f"# S{number}\n\n" for number in range(100))
        for _ in range(99):
            await operations.import_document(client, many)
        (section, *_) = await operations.section_ids(client, large)
        await operations.ensure_chat(client, large, section)
    return large, section


def run(checkout: Path, seconds: float, names: list[str]) -> None:
    """Attack the server of a checkout, with a new process for each attack, and print the results."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES}))"
    main = "import sys; sys.argv[0] = 'marginalia'; from marginalia.cli.commands import main; main()"
    print(f"\n{checkout}")
    head = "p50 ms", "p99 ms", "worst ms", "failed", "new", "most MB", "then MB", "log"
    print("{:26} {:>8} {:>9} {:>9} {:>7} {:>9} {:>8} {:>8} {:>8}".format("", *head))
    with TemporaryDirectory(prefix="marginalia-attacks-") as folder:
        url = f"sqlite:///{folder}/marginalia.db"
        command = [sys.executable, "-c", f"{limit}; {main}", "serve", "--port", "0", "--database", url]
        document = section = ""
        for name in names:
            process_folder = Path(folder) / name.replace(" ", "-")
            process_folder.mkdir()
            process = processes.launch(command, processes.environment(), process_folder, checkout)
            try:
                server = Server(processes._address(process, process_folder), process, process_folder)
                if not document:
                    document, section = asyncio.run(prepare(server.address))
                print(asyncio.run(measure(server, name, ATTACKS[name], document, section, seconds)), flush=True)
            finally:
                process.kill()
                process.wait()


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=__doc__)
    here = Path(__file__).parents[1]
    parser.add_argument(
        "--checkout", type=Path, action="append", help="a folder with the code to serve; may be repeated"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each attack lasts")
    parser.add_argument("--attack", choices=ATTACKS, action="append", help="only this one; may be repeated")
    asked = parser.parse_args()
    for checkout in asked.checkout or [here]:
        run(checkout, asked.seconds, asked.attack or list(ATTACKS))


if __name__ == "__main__":
    main()
