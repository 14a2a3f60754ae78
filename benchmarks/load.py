"""The load generator: persistent connections, each with one request at a time, in a separate process.

It shares the machine with the servers, so it does as little as possible: the bytes of a request are built once, and an
answer is compared with the expected bytes. `python -m benchmarks.load` reads a `Job` as JSON from standard input.
"""

import json
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

STALL_TIMEOUT_S = 10.0
"""How long to wait for any answer before giving up."""


class WrongAnswer(Exception):
    """An answer is not the expected one, or none came."""


@dataclass(frozen=True)
class Target:
    """A server, and the exchanges to send to it. Each connection repeats one exchange."""

    name: str
    host: str
    port: int
    exchanges: list[tuple[str, str]]
    """Request bodies, each with its expected answer body."""

    def request(self, number: int) -> bytes:
        """Return the bytes of a request."""
        body = self.exchanges[number][0].encode()
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
    """A measurement: each target in turn, `rounds` times. A round ends after `seconds` or `most` requests."""

    targets: list[Target]
    connections: int = 16
    rounds: int = 5
    seconds: float = 3.0
    most: int = 20_000
    warm_up: float = 1.0


@dataclass(frozen=True)
class Round:
    """The result of one target in one round: latencies in milliseconds, and the load generator's share of a core."""

    requests: int
    per_second: float
    p50: float
    p99: float
    own_share: float


@dataclass
class _Connection:
    socket: socket.socket
    request: bytes
    answer: bytes
    sent: float = 0.0
    received: bytes = field(default=b"")


def run(job: Job) -> dict[str, list[Round]]:
    """Measure in a separate process, and return the rounds of each target by name. Raises `WrongAnswer`."""
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
    return {name: [Round(**values) for values in rounds] for name, rounds in result.items()}


def measure(job: Job) -> dict[str, list[Round]]:
    """Measure in this process. Raises `WrongAnswer`."""
    measured: dict[str, list[Round]] = {target.name: [] for target in job.targets}
    if job.warm_up:
        for target in job.targets:
            _round(target, job.connections, job.warm_up, job.most)
    for number in range(job.rounds):
        # Alternating order, so that a machine that slows down or speeds up affects all targets alike.
        for target in job.targets if number % 2 == 0 else reversed(job.targets):
            measured[target.name].append(_round(target, job.connections, job.seconds, job.most))
    return measured


def _round(target: Target, connections: int, seconds: float, most: int) -> Round:
    opened = [_connect(target, number % len(target.exchanges)) for number in range(connections)]
    try:
        started, worked = time.perf_counter(), time.process_time()
        took = _exchange(opened, target, started + seconds, most)
        elapsed, worked = time.perf_counter() - started, time.process_time() - worked
    finally:
        for connection in opened:
            connection.socket.close()
    took.sort()
    p50, p99 = (took[int(len(took) * part)] * 1000 for part in (0.5, 0.99))
    return Round(len(took), len(took) / elapsed, p50, p99, worked / elapsed)


def _connect(target: Target, number: int) -> _Connection:
    connected = socket.create_connection((target.host, target.port))
    return _Connection(connected, target.request(number), target.exchanges[number][1].encode())


def _exchange(opened: list[_Connection], target: Target, deadline: float, most: int) -> list[float]:
    """Send and receive until the deadline, or until `most` requests are sent. Return the latencies in seconds."""
    took: list[float] = []
    now = time.perf_counter
    with selectors.DefaultSelector() as selector:
        for connection in opened[:most]:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.sent = now()
            connection.socket.sendall(connection.request)
        left, busy = most - len(opened[:most]), len(opened[:most])
        while busy:
            ready = selector.select(STALL_TIMEOUT_S)
            if not ready:
                raise WrongAnswer(f"{target.name} does not answer any more")
            for key, _events in ready:
                connection = key.data
                if not _complete(connection, target.name):
                    continue
                at = now()
                took.append(at - connection.sent)
                if left and at < deadline:
                    left -= 1
                    connection.sent = at
                    connection.socket.sendall(connection.request)
                else:
                    busy -= 1
    return took


def _complete(connection: _Connection, name: str) -> bool:
    answer = connection.answer
    data = connection.socket.recv(65_536)
    received = connection.received + data
    head, _, body = received.partition(b"\r\n\r\n")
    if body == answer and head.startswith(b"HTTP/1.1 200 "):
        connection.received = b""
        return True
    if not data or len(body) >= len(answer):
        raise WrongAnswer(f"{name} answered {received.decode(errors='replace')!r}, which should end with {answer!r}")
    connection.received = received
    return False


def main() -> None:
    """Read the job, measure, and write the rounds or the error as JSON."""
    values: dict[str, Any] = json.load(sys.stdin)
    job = Job(**{**values, "targets": [Target(**target) for target in values["targets"]]})
    result: object
    try:
        result = {name: [asdict(each) for each in rounds] for name, rounds in measure(job).items()}
    except (WrongAnswer, OSError) as error:
        result = str(error)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
