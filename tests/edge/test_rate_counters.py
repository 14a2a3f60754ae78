"""The counters of rate limits: bursts and refills by a clock of the test, and a Redis that comes and goes."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from limits import RateLimitItemPerMinute

from db.principals import Principal, Role
from marginalia.rates import counters as rate_counters
from marginalia.rates.counters import Counters, RedisCounters
from marginalia.rates.rate_limited import RateLimited
from marginalia.rates.rate_limits import RateLimits
from marginalia.rates.rates import Rates
from marginalia.rates.windows import WindowStorage
from tests.edge.conftest import Log
from tests.support import redis
from tests.support.processes import running_process
from tests.support.redis import Redis

USER = Principal("u", "w", Role.EDITOR)
LIMIT = RateLimitItemPerMinute(100)


class Clock:
    """A clock that stands still until it is told to go on."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counters(clock: Clock) -> Counters:
    return Counters(WindowStorage(clock=clock))


async def test_a_burst_uses_the_minute_up_and_it_comes_back_as_the_window_moves(
    counters: Counters, clock: Clock
) -> None:
    assert await counters.take(LIMIT, "u", 100) == 0
    assert await counters.take(LIMIT, "u", 1) == 60_001, "the next minute, and a moment of it"
    clock.now += 90
    # Half of what was used in the minute before still counts.
    assert await counters.take(LIMIT, "u", 51) > 0
    assert await counters.take(LIMIT, "u", 50) == 0
    clock.now += 3_600
    assert await counters.take(LIMIT, "u", 100) == 0


@pytest.mark.parametrize(
    "used", [[(0, 100)], [(0, 30), (50, 70)], [(0, 60), (70, 40)], [(0, 100), (119, 90)], [(3, 1)]]
)
@pytest.mark.parametrize("units", [1, 10, 50, 99, 100])
async def test_who_waits_as_long_as_is_said_is_served_and_who_comes_earlier_is_not(
    used: list[tuple[float, int]], units: int
) -> None:
    clock = Clock()
    counters, began = Counters(WindowStorage(clock=clock)), clock.now
    for at, amount in used:
        clock.now = began + at
        assert await counters.take(LIMIT, "u", amount) == 0
    wait_ms = await counters.take(LIMIT, "u", units)
    if wait_ms:
        clock.now += (wait_ms - 3) / 1000
        assert await counters.take(LIMIT, "u", units) > 0
        clock.now += 0.003
        assert await counters.take(LIMIT, "u", units) == 0


async def test_a_cheap_operation_runs_where_an_expensive_one_has_to_wait(clock: Clock) -> None:
    limits = RateLimits(Rates(cost_per_minute=100, writes_per_minute=2), Counters(WindowStorage(clock=clock)))
    await limits.charge(USER, 80, 0)
    with pytest.raises(RateLimited, match="100 cost units a minute"):
        await limits.charge(USER, 30, 0)
    for _ in range(2):
        await limits.charge(USER, 10, 1)
    with pytest.raises(RateLimited, match="2 changes a minute"):
        await limits.charge(USER, 0, 1)
    await limits.charge(Principal("u", "other", None), 100, 2)


async def test_what_is_closed_makes_room(counters: Counters) -> None:
    limits = RateLimits(Rates(sockets=1, subscriptions=1), counters)
    for opened in (limits.socket, limits.subscription):
        for _ in range(3):
            with opened(USER), pytest.raises(RateLimited, match="open already"), opened(USER):
                pass


async def test_the_state_has_a_bound_and_keeps_who_is_busy(clock: Clock) -> None:
    storage = WindowStorage(most=10, clock=clock)
    counters = Counters(storage)
    assert await counters.take(LIMIT, "busy", 60) == 0
    for number in range(100):
        assert await counters.take(LIMIT, f"guest-{number}", 1) == 0
        assert await counters.take(LIMIT, "busy", 60) > 0
    assert len(storage) == 10


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with redis.running() as running:
        yield running


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for Redis as long as a busy machine takes."""
    monkeypatch.setattr(rate_counters, "REDIS_TIMEOUT_S", 20.0)


@pytest.fixture
async def shared(server: Redis, clock: Clock, patience: None) -> AsyncIterator[RedisCounters]:
    counters = RedisCounters(server.url, clock)
    yield counters
    await counters.close()


async def test_redis_counts_as_memory_does(shared: RedisCounters) -> None:
    assert await shared.take(LIMIT, "u/1", 60) == 0
    assert 60_000 < await shared.take(LIMIT, "u/1", 60) <= 80_000, "at most a third of the next minute"
    assert await shared.take(LIMIT, "u/1", 40) == 0
    assert await shared.take(LIMIT, "u/2", 100) == 0


async def test_many_at_once_use_no_more_than_there_is(shared: RedisCounters) -> None:
    waits = await asyncio.gather(*(shared.take(LIMIT, "many", 1) for _ in range(150)))

    assert waits.count(0) == 100


@pytest.mark.usefixtures("patience")
async def test_without_redis_nobody_is_refused_and_the_log_says_so_once(clock: Clock, log: Log) -> None:
    with redis.running() as server:
        counters = RedisCounters(server.url, clock)
        assert await counters.take(LIMIT, "lost", 100) == 0
        assert await counters.take(LIMIT, "lost", 1) > 0
        server.kill()
        for _ in range(20):
            clock.now += 5
            assert await counters.take(LIMIT, "lost", 100) == 0
        (line,) = log.of("rates not limited: Redis cannot be used")
        assert line["hint"] == "MARGINALIA_RATE_STORAGE names it"
        server.start()
        # For a second after the last failure it is not asked.
        assert await counters.take(LIMIT, "lost", 101) == 0
        clock.now += 1
        assert await counters.take(LIMIT, "lost", 100) == 0
        assert await counters.take(LIMIT, "lost", 1) > 0
        await counters.close()


async def test_a_redis_that_does_not_answer_is_not_waited_for(clock: Clock, log: Log) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    counters = RedisCounters(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}", clock)
    started = time.monotonic()
    for _ in range(1_000):
        assert await counters.take(LIMIT, "u", 1) == 0
    assert time.monotonic() - started < 5, "only the first one waited"
    assert len(log.of("rates not limited: Redis cannot be used")) == 1
    await counters.close()
    listening.close()


@pytest.mark.slow
def test_two_processes_share_a_limit(tmp_path_factory: pytest.TempPathFactory, server: Redis) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('shared')}/marginalia.db"
    settings = {"rate_storage": server.url, "rate_writes_per_minute": 20}
    create = {"query": 'mutation { createDocument(title: "A") { __typename } }'}
    with running_process(url, **settings) as one, running_process(url, **settings) as other:
        for _ in range(20):
            assert httpx.post(f"{one.address}/graphql", json=create, timeout=60).status_code == 200
        # On a busy machine Redis may be late, and an operation then runs without a limit. By its own count the other
        # process would let 20 pass.
        for _ in range(15):
            refused = httpx.post(f"{other.address}/graphql", json=create, timeout=60).status_code == 429
            if refused:
                break
            time.sleep(0.3)
        assert refused
