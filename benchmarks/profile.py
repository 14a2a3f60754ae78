"""`python -m benchmarks.profile`: the CPU time of a server in a workload, by category.

It profiles the Strawberry baseline first, then our server.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks import data, frame_categories, load, rounds, servers, setup
from benchmarks.load import Job
from benchmarks.sampling_profiler import Place
from benchmarks.servers import Kind
from benchmarks.workloads import WORKLOADS, Workload

SERVERS = {
    "A plain Strawberry server": ("benchmarks.serve", "benchmarks.baseline_strawberry:from_environment"),
    "Marginalia": ("marginalia", "serve", "--port", "0"),
}
"""The servers to profile, each as a module with its arguments."""

Stacks = list[tuple[tuple[Place, ...], int]]


def main() -> None:
    """Run the benchmark and print the results."""
    asked = _asked()
    workload = WORKLOADS[asked.workload]
    with setup.server() as server_url, setup.prepared(server_url) as prepared:
        for name, server in list(SERVERS.items())[asked.ours :]:
            stacks, per_request = profiled(prepared, workload, asked.seconds, asked.connections, *server)
            print(f"{name}. {workload.title}. {table(stacks, per_request, asked.functions)}\n")


def profiled(
    prepared: setup.Setup, workload: Workload, seconds: float, connections: int, *server: str
) -> tuple[Stacks, float]:
    """Return the sampled stacks, and the server's CPU time per request, in microseconds."""
    with tempfile.TemporaryDirectory(prefix="marginalia-profile-") as folder:
        file = Path(folder, "stacks.json")
        command = [sys.executable, "-m", "benchmarks.sampling_profiler", str(file), *server]
        with servers.running(Kind("profiled", "", command), prepared) as running:
            answers = rounds.first_answers(workload, running)
            load.run(Job(rounds.target(workload, running, answers, 0), connections, min(1.0, seconds)))
            if workload.opens:
                data.reset(prepared.database_url)
            os.kill(running.process_id, signal.SIGUSR1)
            measured = load.run(Job(rounds.target(workload, running, answers, 1), connections, seconds))
            os.kill(running.process_id, signal.SIGUSR1)
            taken = json.loads(_text(file))
    stacks = [(tuple((str(path), str(name)) for path, name in stack), int(count)) for stack, count in taken["stacks"]]
    return stacks, taken["seconds"] / measured.requests * 1_000_000


def table(stacks: Stacks, per_request: float, most_functions: int) -> str:
    """Return the share and the time of each category, and of the most frequent functions."""
    seen: Counter[str] = Counter()
    for stack, count in stacks:
        seen[frame_categories.category(stack)] += count
    total = seen.total()
    lines = [f"One request: {per_request:,.0f} µs of the server's CPU time ({total} samples)\n"]
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
    parser.add_argument("--workload", choices=WORKLOADS, default="ensure")
    parser.add_argument("--ours", action="store_true", help="profile our server only")
    parser.add_argument("--seconds", type=float, default=10.0, help="the duration of the profile")
    parser.add_argument("--connections", type=int, default=Job.connections)
    parser.add_argument("--functions", type=int, default=15, help="the number of functions to list")
    return parser.parse_args()


if __name__ == "__main__":
    main()
