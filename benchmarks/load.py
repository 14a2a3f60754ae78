"""The load generator: persistent connections, each with one request at a time, in a separate process.

It shares the machine with the servers, so it does as little as possible: the bytes of the requests are built before the
round, and an answer is compared with the expected bytes. That takes 11 µs of processor time per request, as `wrk` does
(autocannon: 17 µs), and neither of them compares answers. `python -m benchmarks.load` reads a `Job` as JSON from
standard input.
"""

import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

STALL_TIMEOUT_S = 10.0
"""How long to wait for any answer before giving up."""


class WrongAnswer(Exception):
    """An answer is not the expected one, or none came."""


@dataclass(frozen=True)
class Exchange:
    """The body of a request, and the expected body of its answer."""

    body: str
    answer: str
    hole: tuple[int, int] = (0, 0)
    """The bytes of the answer that may differ, from and to: the id of a new chat."""


@dataclass(frozen=True)
class Target:
    """A server, and the exchanges of a round, of which each connection takes the next one."""

    name: str
    host: str
    port: int
    exchanges: list[Exchange]
    once: bool = False
    """Whether the round ends after the last exchange; otherwise the first one follows it."""

    def request(self, exchange: Exchange) -> bytes:
        """Return the bytes of a request."""
        body = exchange.body.encode()
        head = (
            "POST /graphql HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            "Content-Type: application/json",
            "Accept: application/graphql-response+json, application/json;q=0.9",
            f"Content-Length: {len(body)}",
            "\r\n",
        )
        return "\r\n".join(head).encode() + body


@dataclass(frozen=True)
class Job:
    """A round: it ends after `seconds` or `most` requests."""

    target: Target
    connections: int = 16
    seconds: float = 1.5
    most: int = 100_000


@dataclass(frozen=True)
class Round:
    """The result of a round: latencies in milliseconds, and the load generator's share of a core."""

    requests: int
    per_second: float
    p50: float
    p99: float
    own_share: float


Prepared = tuple[bytes, bytes, int, int]
"""The bytes of a request, the expected bytes of its answer, and the hole in them."""


@dataclass
class _Connection:
    socket: socket.socket
    expected: Prepared = (b"", b"", 0, 0)
    sent: float = 0.0
    received: bytes = field(default=b"")

    def send(self, exchange: Prepared, now: float) -> None:
        self.expected, self.sent = exchange, now
        self.socket.sendall(exchange[0])


def run(job: Job) -> Round:
    """Measure in a separate process. Raises `WrongAnswer`."""
    root = Path(__file__).parents[1]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(asdict(job)),
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        check=True,
    )
    result = json.loads(ended.stdout)
    if isinstance(result, str):
        raise WrongAnswer(result)
    return Round(**result)


def measure(job: Job) -> Round:
    """Measure in this process. Raises `WrongAnswer`."""
    target = job.target
    prepared = [(target.request(each), each.answer.encode(), *each.hole) for each in target.exchanges]
    exchanges = iter(prepared) if target.once else cycle(prepared)
    opened = [_Connection(socket.create_connection((target.host, target.port))) for _ in range(job.connections)]
    try:
        started, worked = time.perf_counter(), time.process_time()
        took = _exchange(opened, target.name, exchanges, started + job.seconds, job.most)
        elapsed, worked = time.perf_counter() - started, time.process_time() - worked
    finally:
        for connection in opened:
            connection.socket.close()
    took.sort()
    p50, p99 = (took[int(len(took) * part)] * 1000 for part in (0.5, 0.99))
    return Round(len(took), len(took) / elapsed, p50, p99, worked / elapsed)


def _exchange(
    opened: list[_Connection], name: str, exchanges: Iterator[Prepared], deadline: float, most: int
) -> list[float]:
    """Send and receive until the deadline, or until the exchanges end. Return the latencies in seconds."""
    took: list[float] = []
    now = time.perf_counter
    with selectors.DefaultSelector() as selector:
        left, busy = most, 0
        for connection, exchange in zip(opened[:most], exchanges, strict=False):
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(exchange, now())
            left, busy = left - 1, busy + 1
        while busy:
            ready = selector.select(STALL_TIMEOUT_S)
            if not ready:
                raise WrongAnswer(f"{name} does not answer any more")
            for key, _events in ready:
                connection = key.data
                if not _complete(connection, name):
                    continue
                at = now()
                took.append(at - connection.sent)
                following = next(exchanges, None) if left and at < deadline else None
                if following:
                    left -= 1
                    connection.send(following, at)
                else:
                    busy -= 1
    return took


def _complete(connection: _Connection, name: str) -> bool:
    _request, answer, start, end = connection.expected
    data = connection.socket.recv(262_144)
    received = connection.received + data
    head, _, body = received.partition(b"\r\n\r\n")
    if (
        len(body) == len(answer)
        and body[end:] == answer[end:]
        and body[:start] == answer[:start]
        and head.startswith(b"HTTP/1.1 200 ")
    ):
        connection.received = b""
        return True
    if not data or len(body) >= len(answer):
        raise WrongAnswer(f"{name} answered {received.decode(errors='replace')!r}, which should end with {answer!r}")
    connection.received = received
    return False


def main() -> None:
    """Read the job, measure, and write the round or the error as JSON."""
    job: dict[str, Any] = json.load(sys.stdin)
    exchanges = [Exchange(**each) for each in job["target"].pop("exchanges")]
    target = Target(**job.pop("target"), exchanges=exchanges)
    result: object
    try:
        result = asdict(measure(Job(target, **job)))
    except (WrongAnswer, OSError) as error:
        result = str(error)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
