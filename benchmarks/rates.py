"""`python -m benchmarks.rates [redis://…]`: measures rate limits, alone and in an ensure that finds its chat.

Prints microseconds of processor time, which other processes on the machine change less than the time that passes. An
ensure includes the client, which runs in the same process. Rounds alternate between the variants; the median counts.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage

from db.connection.database import Database
from db.migrations import upgrade
from db.principals import Principal, Role
from marginalia.app import create_app
from marginalia.rates.counters import Counters, RedisCounters
from marginalia.settings import Settings
from tests.support import factories

CHAT = "mutation Ensure($d: ID!, $s: ID!) { ensureSectionChat(docId: $d, sectionId: $s) { __typename } }"
NO_LIMIT_IN_REACH = 1_000_000_000
PRINCIPAL = Principal("local", "local", Role.OWNER)


async def microseconds(call: Callable[[int], Awaitable[object]], times: int) -> float:
    """Return what one of so many calls takes on average."""
    began = time.process_time()
    for number in range(times):
        await call(number)
        await asyncio.sleep(0)  # as an operation that waits for its database
    return (time.process_time() - began) / times * 1e6


async def compare_counters(redis: str | None) -> None:
    """Compare the storages of counters, with one user and with many."""
    limit = RateLimitItemPerMinute(NO_LIMIT_IN_REACH)
    for users in (1, 1_000, 10_000):
        counters = {"ours": Counters(), "the library's": Counters(MemoryStorage())}
        if redis:
            counters["redis"] = RedisCounters(redis)
        for name, each in counters.items():
            for number in range(users):
                await each.take(limit, f"warm-{number}", 1)

            async def take(number: int, each: Counters = each, users: int = users) -> None:
                await each.take(limit, f"warm-{number % users}", 1)

            print(f"{users:7,} users  {name:14} {await microseconds(take, 1_000):8.1f} µs")
            await each.close()


async def compare_ensures(redis: str | None) -> None:
    """Compare an ensure without limits to one with limits."""
    limits: dict[str, object] = {"rate_cost_per_minute": NO_LIMIT_IN_REACH, "rate_writes_per_minute": NO_LIMIT_IN_REACH}
    variants: dict[str, dict[str, object]] = {"without": {}, "memory": limits}
    if redis:
        variants["redis"] = {**limits, "rate_storage": redis}
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        database = Database(url)
        await upgrade.upgrade(database)
        await factories.workspace(database, "local")
        document = await factories.document(database)
        section = await factories.section(database, document)
        await database.close()
        body = {"query": CHAT, "variables": {"d": document.id, "s": section.id}}
        async with AsyncExitStack() as stack:
            calls = {}
            for name, settings in variants.items():
                app = create_app(Settings(_env_file=None, **{"database_url": url, **settings}), lambda _: PRINCIPAL)  # type: ignore[arg-type]
                await stack.enter_async_context(app.router.lifespan_context(app))
                transport = httpx.ASGITransport(app)
                http = await stack.enter_async_context(
                    httpx.AsyncClient(transport=transport, base_url="http://localhost")
                )
                calls[name] = lambda _number, http=http: http.post("/graphql", json=body)
            rounds: dict[str, list[float]] = {name: [] for name in calls}
            for _ in range(30):
                for name, call in calls.items():
                    rounds[name].append(await microseconds(call, 100))
    base = statistics.median(rounds["without"])
    for name, found in rounds.items():
        median = statistics.median(found)
        print(f"ensure  {name:8} {median:8.1f} µs  {median / base:.3f}")


async def main() -> None:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("redis", nargs="?", help="the URL of a Redis to count in")
    redis = parser.parse_args().redis
    await compare_counters(redis)
    await compare_ensures(redis)


if __name__ == "__main__":
    asyncio.run(main())
