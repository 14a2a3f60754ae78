"""`python -m benchmarks.execution`: executes a document in memory with our engine and three others.

The others are graphql-core, graphql-js and graphql-jit. The schema is that of the peers, and the rows are objects in
memory, so nothing but execution is measured: no parsing, no I/O, no JSON. Our engine reads plain attributes and calls a
batched resolver for the chats of a level, as the project's schema does; the others use their default resolvers.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from graphql import GraphQLSchema, build_schema, parse
from graphql import execute as execute_with_core

from benchmarks import report, servers
from benchmarks.load import WrongAnswer
from benchmarks.servers import PEERS
from benchmarks.workloads import DOCUMENT
from engine.complexity import Limits
from engine.declarations import ATTRIBUTE, BATCH
from engine.execution import ExecutionLimits, execute
from engine.operation_cache import OperationCache

SIZES = (20, 200, 2_000)
"""The numbers of sections in the document."""

OURS = "engine"


@dataclass(frozen=True)
class Timing:
    """The microseconds of an execution, and its answer as JSON."""

    microseconds: float
    answer: str


class Row:
    """An object in memory."""

    def __init__(self, **values: object) -> None:
        vars(self).update(values)


def fields(size: int) -> int:
    """Return the number of fields in the answer: 7 of the document, and 7 of each section with its chat."""
    return 7 + 7 * size


def document(size: int) -> Row:
    """Return a document with as many sections."""
    edges = [
        Row(
            node=Row(
                id=f"sec_{number}",
                title=f"Section {number}",
                level=2,
                chat=Row(id=f"chat_{number}", messageCount=number),
            )
        )
        for number in range(size)
    ]
    sections = Row(edges=edges, pageInfo=Row(hasNextPage=False))
    return Row(id="doc_1", title="Document", sections=sections)


def schema() -> GraphQLSchema:
    """Return the schema of the peers, whose root reads the document from the context."""
    built = build_schema((PEERS / "schema.graphql").read_text())
    fields: Any = built.query_type and built.query_type.fields
    fields["document"].resolve = lambda _root, info, **_: info.context
    return built


async def with_engine(size: int, seconds: float) -> Timing:
    """Measure our engine."""
    built = schema()
    for name, kind in built.type_map.items():
        if name in (
            "Document",
            "DocumentSectionConnection",
            "DocumentSectionEdge",
            "Section",
            "ChatSession",
            "PageInfo",
        ):
            for key, field in kind.fields.items():  # type: ignore[attr-defined] # an object type
                field.extensions = {ATTRIBUTE: key}
    built.type_map["Section"].fields["chat"].extensions = {  # type: ignore[attr-defined] # an object type
        BATCH: lambda _info, sections: [section.chat for section in sections]
    }
    operation = OperationCache(built, Limits()).find(DOCUMENT)
    rows, limits, variables = document(size), ExecutionLimits(seconds=60), {"id": "doc_1", "first": size}

    async def run() -> Any:
        return (await execute(operation, variables, lambda _selection: rows, limits)).data

    return await _measured(run, seconds)


async def with_core(size: int, seconds: float) -> Timing:
    """Measure graphql-core."""
    built, operation, rows = schema(), parse(DOCUMENT), document(size)
    variables = {"id": "doc_1", "first": size}

    async def run() -> Any:
        result: Any = execute_with_core(built, operation, context_value=rows, variable_values=variables)
        return result.data

    return await _measured(run, seconds)


def with_node(sizes: Sequence[int], seconds: float) -> Mapping[str, Sequence[Timing]]:
    """Measure graphql-js and graphql-jit."""
    servers.install_peers()
    job = json.dumps({"text": DOCUMENT, "sizes": sizes, "seconds": seconds})
    ran = subprocess.run(  # noqa: S603 - our own script
        servers.node("execution.mjs"), input=job, cwd=PEERS, stdout=subprocess.PIPE, text=True, check=True
    )
    return {
        name: [Timing(each["microseconds"], json.dumps(json.loads(each["answer"])["data"])) for each in timings]
        for name, timings in json.loads(ran.stdout).items()
    }


def measure(sizes: Sequence[int], seconds: float) -> Mapping[str, Sequence[Timing]]:
    """Measure all engines. Raises `WrongAnswer` unless they give the same answers."""
    timings: dict[str, Sequence[Timing]] = {
        OURS: [asyncio.run(with_engine(size, seconds)) for size in sizes],
        "graphql-core": [asyncio.run(with_core(size, seconds)) for size in sizes],
    }
    if servers.has_node():
        timings |= with_node(sizes, seconds)
    else:
        print("No Node.js with npm here: the engines in Python only.", file=sys.stderr)
    for name, found in timings.items():
        if [each.answer for each in found] != [each.answer for each in timings[OURS]]:
            raise WrongAnswer(f"{name} gives another answer than {OURS}")
    return timings


def table(sizes: Sequence[int], timings: Mapping[str, Sequence[Timing]]) -> str:
    """Return the times as Markdown: microseconds for the execution, and for each field in brackets."""
    head = ["", *(f"{size:,} sections" for size in sizes)]
    rows = [head, ["---", *("---:" for _ in sizes)]]
    for name, each in timings.items():
        cells = [
            f"{timing.microseconds:,.0f} ({timing.microseconds / fields(size):.2f})"
            for size, timing in zip(sizes, each, strict=True)
        ]
        rows.append([name, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


async def _measured(run: Callable[[], Awaitable[Any]], seconds: float) -> Timing:
    answer = json.dumps(await run())
    times: list[float] = []
    deadline = time.perf_counter() + seconds
    while not times or time.perf_counter() < deadline:
        started = time.perf_counter()
        await run()
        times.append(time.perf_counter() - started)
    return Timing(median(times) * 1_000_000, answer)


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.execution", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="the duration for each engine and size")
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="replace the table of docs/performance.md")
    asked = parser.parse_args()
    measured = table(SIZES, measure(SIZES, asked.seconds))
    print(f"Microseconds of an execution, and of a field of the answer in brackets\n\n{measured}")
    if asked.markdown:
        how = f"The medians of {asked.seconds:g} s for each executor and size"
        report.write(asked.markdown, report.EXECUTION, how, [measured])


if __name__ == "__main__":
    main()
