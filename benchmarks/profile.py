"""`python -m benchmarks.profile`: where the processor time of a server goes in a hot ensure, step by step.

First of a plain Strawberry server, which is what there was before; then of ours.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks import load, stage, steps
from benchmarks.load import Job
from benchmarks.sampled import Place
from tests.support import postgres, processes

SERVERS = {
    "A plain Strawberry server": ("benchmarks.serve", "benchmarks.plain:from_environment"),
    "Marginalia": ("marginalia", "serve", "--port", "0"),
}
"""What is run, as a module with its arguments."""

Stacks = list[tuple[tuple[Place, ...], int]]


def main() -> None:
    """Measure and print."""
    asked = _asked()
    with postgres.server() as server_url, stage.staged(server_url) as staged:
        for name, server in SERVERS.items():
            stacks, per_request = sampled(staged, Job([], asked.connections, 1, asked.seconds, asked.most), *server)
            print(f"{name}. {table(stacks, per_request, asked.functions)}\n")


def sampled(staged: stage.Stage, job: Job, *server: str) -> tuple[Stacks, float]:
    """Return the stacks that were seen, and the processor time of the server for one request, in microseconds."""
    with tempfile.TemporaryDirectory(prefix="marginalia-profile-") as folder:
        file = Path(folder, "stacks.json")
        command = [sys.executable, "-m", "benchmarks.sampled", str(file), *server]
        with processes.running(command, processes.environment(database_url=staged.database_url)) as running:
            target = stage.target("sampled", running.address, staged.operations)
            load.run(Job([target], job.connections, 1, job.warm_up, job.most, 0))
            running.process.send_signal(signal.SIGUSR1)
            (measured,) = load.run(Job([target], job.connections, 1, job.seconds, job.most, 0))["sampled"]
            running.process.send_signal(signal.SIGUSR1)
            taken = json.loads(_text(file))
    stacks = [(tuple((str(path), str(name)) for path, name in stack), int(count)) for stack, count in taken["stacks"]]
    return stacks, taken["seconds"] / measured.requests * 1_000_000


def table(stacks: Stacks, per_request: float, most_functions: int) -> str:
    """Return the share and the time of each step, and of the functions that were seen most often."""
    seen: Counter[str] = Counter()
    for stack, count in stacks:
        seen[steps.step(stack)] += count
    total = seen.total()
    lines = [f"One hot ensure: {per_request:,.0f} µs of the server's processor time ({total} samples)\n"]
    for counted in (seen, Counter(dict(steps.functions(stacks).most_common(most_functions)))):
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
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to watch")
    parser.add_argument("--most", type=int, default=Job.most, help="how many requests to watch at most")
    parser.add_argument("--connections", type=int, default=Job.connections)
    parser.add_argument("--functions", type=int, default=15, help="how many functions to name")
    return parser.parse_args()


if __name__ == "__main__":
    main()
