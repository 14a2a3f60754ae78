"""Counters of the units that each user has used, in this process or in a Redis that several processes share."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, cast

import structlog
from limits import RateLimitItem
from limits.aio.storage import Storage
from limits.aio.storage.base import SlidingWindowCounterSupport
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from marginalia.observability.throttle import Throttle
from marginalia.rates.windows import WindowStorage

MEMORY = "memory://"

KEY_PREFIX = "marginalia:rates"

REDIS_TIMEOUT_S = 0.5
"""How long an operation waits for Redis before it runs without a limit."""

REDIS_PAUSE_S = 1.0
"""How long Redis is not asked after it has failed: while it is away, operations do not wait for it one by one."""

REDIS_CONNECTIONS = 20
"""The maximum number of connections of a process to Redis."""

LOG_INTERVAL_S = 60.0

_log = structlog.stdlib.get_logger("marginalia.rates")


class Counters:
    """Counters with a sliding window: what was used in the window before counts by the part that is still in sight."""

    def __init__(self, storage: Storage | None = None) -> None:
        """Count in a storage of the `limits` library that supports sliding windows; without one, in this process."""
        self._storage = WindowStorage() if storage is None else storage
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    async def take(self, limit: RateLimitItem, key: str, units: int) -> int:
        """Use some units of a limit. Return 0, or in how many milliseconds that many are free: none were used."""
        if await self._limiter.hit(limit, key, cost=units):
            return 0
        windows = cast(SlidingWindowCounterSupport, self._storage)
        found = await windows.get_sliding_window(limit.key_for(key), limit.get_expiry())
        return 1 + max(0, math.ceil(1000 * _seconds_until_free(limit, units, *found)))

    async def close(self) -> None:
        """Release what is held."""


class RedisCounters(Counters):
    """Counters in Redis. While it cannot be reached, everybody may use as much as they like: it is no reason to refuse.

    The log then has a line a minute.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        # Imported where they are needed: without Redis, a process starts without its client.
        from limits.aio.storage import RedisStorage
        from redis.asyncio import BlockingConnectionPool
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        self._pool: Any = BlockingConnectionPool.from_url(
            url,
            max_connections=REDIS_CONNECTIONS,
            timeout=REDIS_TIMEOUT_S,
            socket_timeout=REDIS_TIMEOUT_S,
            socket_connect_timeout=REDIS_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        options: dict[str, Any] = {"connection_pool": self._pool}  # of a type that the library does not declare
        super().__init__(RedisStorage(url, implementation="redispy", key_prefix=KEY_PREFIX, **options))
        self._failures = (RedisError, OSError, TimeoutError)
        self._clock = clock
        self._asks_again_at = -math.inf
        self._lost = Throttle(LOG_INTERVAL_S)

    async def take(self, limit: RateLimitItem, key: str, units: int) -> int:
        """Do as `Counters.take` does; without Redis, return 0."""
        if self._clock() < self._asks_again_at:
            return 0
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                return await super().take(limit, key, units)
        except self._failures as error:
            self._asks_again_at = self._clock() + REDIS_PAUSE_S
            if count := self._lost.count():
                _log.warning(
                    "rates not limited: Redis cannot be used",
                    error=f"{type(error).__name__}: {error}",
                    hint="MARGINALIA_RATE_STORAGE names it",
                    count=count,
                )
            return 0

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.disconnect()


def open_counters(storage: str) -> Counters:
    """Return the counters that a setting names: `memory://`, or the URL of a Redis, which is asked at the first use."""
    return Counters() if storage == MEMORY else RedisCounters(storage)


def _seconds_until_free(
    limit: RateLimitItem, units: int, previous: int, previous_left: float, current: int, current_left: float
) -> float:
    """Return in how many seconds so many units are free, if nobody uses any meanwhile."""
    # Parts of a unit do not count: what was used has to be less than `room`.
    seconds, room = float(limit.get_expiry()), limit.amount - units + 1
    if previous and current < room:
        return previous_left - (room - current) * seconds / previous
    if not current:
        return 0.0
    # First the current window has to become the previous one, which then counts less and less.
    return current_left - seconds + max(0.0, seconds * (1 - room / current))
