"""`python -m benchmarks.compare`: compares our server with peers, in rounds that alternate.

No round begins before the servers have given equal answers, as JSON, to the same requests.
"""

import argparse
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import fanout, report, rounds, servers, setup
from benchmarks.load import WrongAnswer
from benchmarks.report import Measured
from benchmarks.rounds import Plan
from benchmarks.servers import CannotStart, Kind, Server
from benchmarks.workloads import WORKLOADS

NAMES = [*WORKLOADS, fanout.NAME]
"""The names of all workloads."""


def main() -> None:
    """Run the benchmark and print the results."""
    asked = _asked()
    # Each subscriber takes a socket here and one in its server.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        kinds = chosen(asked.servers, asked.checkout)
        with ExitStack() as stack:
            prepared = stack.enter_context(setup.prepared(stack.enter_context(setup.server())))
            running = [stack.enter_context(servers.running(kind, prepared)) for kind in kinds]
            plan = Plan(asked.rounds, asked.seconds, asked.connections, asked.subscribers, prepared.database_url)
            print(f"{report.machine()}\n{plan}\n{report.LOAD}\n")
            tables = []
            for name in asked.workload or NAMES:
                able = able_to(name, running)
                if not able:
                    print(f"{name}: none of these servers can serve it\n")
                    continue
                title = fanout.title(plan.subscribers) if name == fanout.NAME else WORKLOADS[name].title
                measured = measure(name, able, plan)
                print(report.text(name, title, measured), flush=True)
                tables.append(report.markdown(title, measured))
    except (CannotStart, WrongAnswer) as error:
        sys.exit(f"benchmarks: {error}")
    if asked.markdown:
        report.write(asked.markdown, report.TABLES, str(plan), tables)


def able_to(name: str, running: Sequence[Server]) -> Sequence[Server]:
    """Return the servers that can serve a workload."""
    if name == fanout.NAME:
        return [server for server in running if server.kind.subscriptions]
    return [server for server in running if server.kind.graphql or WORKLOADS[name].without_graphql]


def measure(name: str, able: Sequence[Server], plan: Plan) -> Mapping[str, Measured]:
    """Measure a workload on servers that can serve it."""
    return fanout.measure(able, plan) if name == fanout.NAME else rounds.measure(WORKLOADS[name], able, plan)


def chosen(names: Sequence[str], checkouts: Sequence[str]) -> Sequence[Kind]:
    """Return the servers to measure, with the packages of the peers installed. Raises `CannotStart`."""
    unknown = set(names) - set(servers.KINDS)
    if unknown:
        raise CannotStart(f"there is no server {', '.join(sorted(unknown))}: choose of {', '.join(servers.KINDS)}")
    kinds = [servers.KINDS[name] for name in names or servers.KINDS]
    for given in checkouts:
        name, _, path = given.partition("=")
        kinds.append(servers.checkout(name, path))
    if any(map(servers.needs_node, kinds)):
        if servers.has_node():
            servers.install_peers()
        else:
            print("No Node.js with npm here: the servers in Python only.", file=sys.stderr)
            kinds = [kind for kind in kinds if not servers.needs_node(kind)]
    if not kinds:
        raise CannotStart("there is no server left to measure")
    return kinds


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--workload", action="append", choices=NAMES, help="a workload; may be repeated (all)")
    parser.add_argument(
        "--servers", type=lambda names: names.split(","), default=[], help=f"of {','.join(servers.KINDS)} (all)"
    )
    parser.add_argument(
        "--checkout", action="append", default=[], metavar="NAME=PATH", help="an earlier checkout; may be repeated"
    )
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="the duration of a round")
    parser.add_argument("--connections", type=int, default=Plan.connections)
    parser.add_argument("--subscribers", type=int, default=Plan.subscribers)
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="replace the tables of docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
