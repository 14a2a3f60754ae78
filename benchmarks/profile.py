"""`python -m benchmarks.profile`: the CPU time of a server in a hot ensure, by category.

It profiles the Strawberry baseline first, then our server.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks import frame_categories, load, setup
from benchmarks.load import Job
from benchmarks.sampling_profiler import Place
from tests.support import postgres, processes

SERVERS = {
    "A plain Strawberry server": ("benchmarks.serve", "benchmarks.baseline_strawberry:from_environment"),
    "Marginalia": ("marginalia", "serve", "--port", "0"),
}
"""The servers to profile, each as a module with its arguments."""

Stacks = list[tuple[tuple[Place, ...], int]]


def main() -> None:
    """Run the benchmark and print the results."""
    asked = _asked()
    with postgres.server() as server_url, setup.prepared(server_url) as prepared:
        for name, server in SERVERS.items():
            stacks, per_request = profiled(prepared, Job([], asked.connections, 1, asked.seconds, asked.most), *server)
            print(f"{name}. {table(stacks, per_request, asked.functions)}\n")


def profiled(prepared: setup.Setup, job: Job, *server: str) -> tuple[Stacks, float]:
    """Return the sampled stacks, and the server's CPU time per request, in microseconds."""
    with tempfile.TemporaryDirectory(prefix="marginalia-profile-") as folder:
        file = Path(folder, "stacks.json")
        command = [sys.executable, "-m", "benchmarks.sampling_profiler", str(file), *server]
        with processes.running(command, processes.environment(database_url=prepared.database_url)) as running:
            target = setup.target("profiled", running.address, prepared.operations)
            load.run(Job([target], job.connections, 1, job.warm_up, job.most, 0))
            running.process.send_signal(signal.SIGUSR1)
            (measured,) = load.run(Job([target], job.connections, 1, job.seconds, job.most, 0))["profiled"]
            running.process.send_signal(signal.SIGUSR1)
            taken = json.loads(_text(file))
    stacks = [(tuple((str(path), str(name)) for path, name in stack), int(count)) for stack, count in taken["stacks"]]
    return stacks, taken["seconds"] / measured.requests * 1_000_000


def table(stacks: Stacks, per_request: float, most_functions: int) -> str:
    """Return the share and the time of each category, and of the most frequent functions."""
    seen: Counter[str] = Counter()
    for stack, count in stacks:
        seen[frame_categories.category(stack)] += count
    total = seen.total()
    lines = [f"One hot ensure: {per_request:,.0f} µs of the server's CPU time ({total} samples)\n"]
    for counted in (seen, Counter(dict(frame_categories.functions(stacks).most_common(most_functions)))):
        lines += [
            f"{name:48}{count / total:7.1%}{per_request * count / total:9.0f} µs"
            for name, count in counted.most_common()
        ]
        lines.append("")
    return "\n".join(lines).rstrip()


def _text(file: Path) -> str:
    deadline = time.monotonic() + 10
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return file.read_text()


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="the duration of the profile")
    parser.add_argument("--most", type=int, default=Job.most, help="the maximum number of profiled requests")
    parser.add_argument("--connections", type=int, default=Job.connections)
    parser.add_argument("--functions", type=int, default=15, help="the number of functions to list")
    return parser.parse_args()


if __name__ == "__main__":
    main()
