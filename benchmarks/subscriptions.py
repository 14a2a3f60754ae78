"""`python -m benchmarks.subscriptions`: the memory of idle subscriptions, the latency of events, and leaks.

The sockets are our own, and implement just enough of the WebSocket protocol: a client library would take more memory
and time than the server that is measured.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from statistics import median
from urllib.parse import urlsplit

import httpx

from benchmarks import setup
from benchmarks.sockets import upgrade
from benchmarks.usage import memory
from tests.api import operations
from tests.support import postgres, processes
from tests.support.client import Client

AT_ONCE = 100
"""The number of short subscriptions on one socket at once: the server's maximum."""

OPENED = "subscription ($d: ID!) { sectionChatOpened(docId: $d) { chat { id section { id title } document { id } } } }"


class Socket:
    """A WebSocket after its handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    def send(self, message: object) -> None:
        """Send a message, masked with zeros, which leave it unchanged."""
        data = json.dumps(message).encode()
        length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
        self.writer.write(b"\x81" + length + b"\0\0\0\0" + data)

    async def receive(self) -> dict[str, object]:
        """Wait for the next message, and answer protocol pings meanwhile."""
        while True:
            first, length = await self._reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await self._reader.readexactly(2), "big")
            data = await self._reader.readexactly(length)
            if first == 0x81:
                message: dict[str, object] = json.loads(data)
                return message
            if first == 0x89:
                self.writer.write(b"\x8a" + bytes([0x80 | len(data)]) + b"\0\0\0\0" + data)
            else:
                raise ConnectionError(data)


@asynccontextmanager
async def socket(address: str) -> AsyncIterator[Socket]:
    """Open a socket and initialize the connection."""
    url = urlsplit(address)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(upgrade(url.netloc))
    try:
        if b" 101 " not in await reader.readuntil(b"\r\n\r\n"):
            raise ConnectionError("The handshake was refused")
        opened = Socket(reader, writer)
        opened.send({"type": "connection_init"})
        await opened.receive()  # its acknowledgement
        yield opened
    finally:
        writer.close()


async def metric(client: Client, name: str) -> int:
    """Return a metric of a server."""
    lines = (await client.http.get("/metrics")).text.splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith(f"{name} "))


async def until_subscribers(client: Client, count: int) -> None:
    """Wait for a number of established subscriptions."""
    while await metric(client, "marginalia_subscribers") != count:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def held(client: Client, process_id: int) -> str:
    """Describe the memory and tasks of a server."""
    return f"{memory(process_id) / 2**20:.1f} MiB and {await metric(client, 'marginalia_asyncio_tasks')} tasks held"


def subscription(name: str, document: str) -> dict[str, object]:
    """Return the message that subscribes to a document's chats."""
    return {"type": "subscribe", "id": name, "payload": {"query": OPENED, "variables": {"d": document}}}


async def idle(client: Client, address: str, process_id: int, sockets: int, each: int) -> None:
    """Open subscriptions, measure their memory, and deliver one event to all of them."""
    document = await operations.import_document(client, "# A\n\n# B")
    sections = await operations.section_ids(client, document)
    before, tasks = memory(process_id), await metric(client, "marginalia_asyncio_tasks")
    opened = [socket(address) for _ in range(sockets)]
    live = [await each_socket.__aenter__() for each_socket in opened]
    for ours in live:
        for number in range(each):
            ours.send(subscription(f"{number}", document))
    await until_subscribers(client, sockets * each)
    bytes_held = (memory(process_id) - before) / sockets / each
    tasks_held = (await metric(client, "marginalia_asyncio_tasks") - tasks) / sockets / each

    async def told(ours: Socket) -> list[float]:
        times = []
        for _ in range(each):
            await ours.receive()
            times.append(time.perf_counter())
        return times

    for section in sections:
        waiting = [asyncio.create_task(told(ours)) for ours in live]
        await operations.ensure_chat(client, document, section)
        opened_at = time.perf_counter()
        times = sorted((at - opened_at) * 1000 for some in await asyncio.gather(*waiting) for at in some)
        print(
            f"{sockets:5} sockets with {each} subscriptions each: "
            f"{bytes_held / 1024:.1f} KiB and {tasks_held:.1f} tasks for each of them; "
            f"after the answer an event reached the first in {times[0]:.0f} ms, half in {median(times):.0f} ms, "
            f"all in {times[-1]:.0f} ms"
        )
    for each_socket in opened:
        await each_socket.__aexit__(None, None, None)
    await until_subscribers(client, 0)
    print(f"When all have gone: {await held(client, process_id)}")


async def short(client: Client, address: str, process_id: int, count: int) -> None:
    """Start and end at least `count` subscriptions, and measure what they leave behind."""
    document = await operations.import_document(client, "# A")

    async def listen(ours: Socket) -> None:
        # Answers pings; the server drops a socket that does not. No other message should come.
        raise ConnectionError(await ours.receive())

    async with socket(address) as one, socket(address) as two, asyncio.TaskGroup() as group:
        listening = [group.create_task(listen(ours)) for ours in (one, two)]
        done, started = 0, time.perf_counter()
        marks = [count // 10, count // 2, count]
        while marks:
            for ours in (one, two):
                for number in range(AT_ONCE):
                    ours.send(subscription(f"{number}", document))
            await until_subscribers(client, 2 * AT_ONCE)  # all of them are live
            for ours in (one, two):
                for number in range(AT_ONCE):
                    ours.send({"type": "complete", "id": f"{number}"})
            await until_subscribers(client, 0)
            done += 2 * AT_ONCE
            if done >= marks[0]:
                took = time.perf_counter() - started
                print(f"{done:7} short ones: {await held(client, process_id)}, {done / took:6.0f} a second")
                marks = [mark for mark in marks if mark > done]
        for task in listening:
            task.cancel()


async def measure(address: str, process_id: int, part: Callable[[Client, str, int], Awaitable[None]]) -> None:
    """Run one part of the benchmark on a fresh server."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as http:
        client = Client(http)
        await client("{ __typename }")
        print(f"\nAt first: {await held(client, process_id)}")
        await part(client, address, process_id)


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.subscriptions", description=__doc__)
    parser.add_argument("--short", type=int, default=100_000, help="the number of short subscriptions")
    asked = parser.parse_args()
    parts = (
        partial(idle, sockets=1_000, each=1),
        partial(idle, sockets=10, each=100),
        partial(short, count=asked.short),
    )
    with postgres.server() as server_url, setup.prepared(server_url) as prepared:
        for part in parts:
            with processes.running_process(prepared.database_url) as server:
                asyncio.run(measure(server.address, server.process.pid, part))


if __name__ == "__main__":
    main()
