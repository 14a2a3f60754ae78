"""`python -m benchmarks.bulk`: ensures the chats of 500 sections in one call and in 500, on both databases."""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from statistics import median

import httpx

from benchmarks.load import WrongAnswer
from tests.api import operations
from tests.support import postgres, processes
from tests.support.client import Client
from tests.support.concurrent_callers import ENSURE

BULK = """
mutation ($docId: ID!, $sectionIds: [ID!]!) {
  ensureSectionChats(docId: $docId, sectionIds: $sectionIds) {
    ... on EnsureSectionChatsSuccess { results { ensured chat { id } } }
  }
}
"""

SECTIONS = 500
AT_ONCE = 16


async def in_one_call(client: Client, document: str, sections: list[str]) -> None:
    """Ensure all chats in one call."""
    answer = await client(BULK, docId=document, sectionIds=sections)
    _insist(*answer["ensureSectionChats"]["results"])


async def by_a_call_each(client: Client, document: str, sections: list[str]) -> None:
    """Ensure each chat by a call of its own, one after the other."""
    for section in sections:
        answer = await client(ENSURE, docId=document, sectionId=section)
        _insist(answer["ensureSectionChat"])


async def by_calls_at_once(client: Client, document: str, sections: list[str]) -> None:
    """Ensure each chat by a call of its own, several at a time."""
    await asyncio.gather(*(by_a_call_each(client, document, sections[n::AT_ONCE]) for n in range(AT_ONCE)))


def _insist(*results: dict[str, str]) -> None:
    if any("ensured" not in result for result in results):
        raise WrongAnswer(str(results))


WAYS: dict[str, Callable[[Client, str, list[str]], Awaitable[None]]] = {
    "one call": in_one_call,
    f"a call each, {AT_ONCE} at a time": by_calls_at_once,
    "a call each, one after the other": by_a_call_each,
}


async def measure(address: str, rounds: int, count: int) -> dict[str, tuple[float, float]]:
    """Return, for each way, the median seconds to open the chats and to find them again."""
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    async with httpx.AsyncClient(base_url=address, timeout=60) as http:
        client = Client(http)
        for _ in range(rounds):
            for way, ask in WAYS.items():
                document = await operations.import_document(client, operations.headings(count))
                sections = await operations.section_ids(client, document)
                times = []
                for _ in range(2):
                    started = time.perf_counter()
                    await ask(client, document, sections)
                    times.append(time.perf_counter() - started)
                taken[way].append((times[0], times[1]))
    return {
        way: (median(first for first, _ in each), median(again for _, again in each)) for way, each in taken.items()
    }


def table(measured: dict[str, tuple[float, float]]) -> str:
    """Return the times of each way, and their ratio to one call."""
    lines = [f"{'':36}{'opened':>10}{'':>8}{'found':>10}"]
    opened, found = measured["one call"]
    for way, (first, again) in measured.items():
        lines.append(f"{way:36}{first:8.3f} s{first / opened:7.1f}x{again:8.3f} s{again / found:7.1f}x")
    return "\n".join(lines)


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Yield the URLs of an empty database of each engine."""
    with postgres.server() as server, postgres.database(server) as url, tempfile.TemporaryDirectory() as folder:
        yield {"PostgreSQL": url, "SQLite": f"sqlite:///{folder}/marginalia.db"}


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sections", type=int, default=SECTIONS)
    asked = parser.parse_args()
    with databases() as urls:
        for name, url in urls.items():
            processes.run("migrate", "--database", url).check_returncode()
            with processes.running_server(url) as address:
                measured = asyncio.run(measure(address, asked.rounds, asked.sections))
            print(f"{name}: {asked.sections} sections\n{table(measured)}\n")


if __name__ == "__main__":
    main()
