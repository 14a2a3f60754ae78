"""`python -m benchmarks.ensure`: compares our hot ensure with a handwritten handler and a plain Strawberry server."""

import argparse
import os
from contextlib import ExitStack
from statistics import median

from benchmarks import load, setup
from benchmarks.load import Job, Round
from tests.support import postgres


def main() -> None:
    """Run the benchmark and print the results."""
    asked = _asked()
    with ExitStack() as stack:
        prepared = stack.enter_context(setup.prepared(stack.enter_context(postgres.server())))
        servers = [
            prepared.marginalia(),
            prepared.handwritten(),
            *([] if asked.no_strawberry else [prepared.strawberry()]),
        ]
        targets = [stack.enter_context(server) for server in servers]
        setup.agree(*targets)
        print(
            f"A hot ensure on PostgreSQL, one server process each, {asked.connections} connections, "
            f"{asked.rounds} rounds of {asked.seconds:g} s, {os.cpu_count()} cores\n"
        )
        measured = load.run(
            Job(targets, asked.connections, asked.rounds, asked.seconds, asked.most, min(1.0, asked.seconds))
        )
    print(table(measured))


def table(measured: dict[str, list[Round]]) -> str:
    """Return the medians of each server, and the ratio of each baseline's throughput to ours."""
    lines = [f"{'':12}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'load':>8}"]
    for name, rounds in measured.items():
        per_second, p50, p99, own = (
            median(getattr(each, part) for each in rounds) for part in ("per_second", "p50", "p99", "own_share")
        )
        lines.append(f"{name:12}{per_second:12.0f}{p50:9.2f}{p99:9.2f}{own:8.0%}")
    ours = measured["marginalia"]
    for name, rounds in measured.items():
        if rounds is not ours:
            ratios = [other.per_second / mine.per_second for other, mine in zip(rounds, ours, strict=True)]
            between = f"{min(ratios):.2f} to {max(ratios):.2f}"
            lines.append(f"\n{name} / marginalia = {median(ratios):.2f} requests ({between} over the rounds)")
    lines.append("\nload: the share of a core that the load generator took; near 100% it would be the bottleneck.")
    return "\n".join(lines)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ensure", description=__doc__)
    parser.add_argument("--rounds", type=int, default=Job.rounds)
    parser.add_argument("--seconds", type=float, default=Job.seconds, help="the duration of a round")
    parser.add_argument("--most", type=int, default=Job.most, help="the maximum number of requests in a round")
    parser.add_argument("--connections", type=int, default=Job.connections)
    parser.add_argument("--no-strawberry", action="store_true", help="skip the plain Strawberry server")
    return parser.parse_args()


if __name__ == "__main__":
    main()
