"""Rate limits: what one user of a workspace may ask for in a minute, and keep open at a time."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerMinute

from db.principals import Principal
from marginalia.rates.counters import Counters
from marginalia.rates.rate_limited import RateLimited
from marginalia.rates.rates import Rates

REOPEN_AFTER_MS = 5_000
"""When to try again to open one more: nobody knows when another one is closed."""


class RateLimits:
    """The limits of all users."""

    def __init__(self, rates: Rates, counters: Counters) -> None:
        self._counters = counters
        self._cost = _per_minute(rates.cost_per_minute, "cost")
        self._writes = _per_minute(rates.writes_per_minute, "writes")
        self._sockets = _Open("sockets", rates.sockets)
        self._subscriptions = _Open("subscriptions", rates.subscriptions)

    async def charge(self, principal: Principal, cost: int, writes: int) -> None:
        """Charge an operation to a user: its cost, and its root fields if they write. Raises `RateLimited`."""
        key = _key(principal)
        if self._writes and writes:
            await self._take(self._writes, key, writes, "changes")
        if self._cost:
            await self._take(self._cost, key, cost, "cost units")

    @contextmanager
    def socket(self, principal: Principal) -> Iterator[None]:
        """Count a socket of a user while it is open. Raises `RateLimited`."""
        with self._sockets.one_more(_key(principal)):
            yield

    @contextmanager
    def subscription(self, principal: Principal) -> Iterator[None]:
        """Count a subscription of a user while it runs. Raises `RateLimited`."""
        with self._subscriptions.one_more(_key(principal)):
            yield

    async def close(self) -> None:
        """Release what is held."""
        await self._counters.close()

    async def _take(self, limit: RateLimitItemPerMinute, key: str, units: int, what: str) -> None:
        if wait_ms := await self._counters.take(limit, key, units):
            raise RateLimited(f"You may use {limit.amount:,} {what} a minute; please wait", wait_ms)


class _Open:
    """What is open at a time. Only those that have something open are remembered."""

    def __init__(self, what: str, most: int) -> None:
        self._what, self._most = what, most
        self._open: Counter[str] = Counter()

    @contextmanager
    def one_more(self, key: str) -> Iterator[None]:
        if self._most and self._open[key] >= self._most:
            raise RateLimited(f"You have {self._most:,} {self._what} open already", REOPEN_AFTER_MS)
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]


def _per_minute(amount: int, name: str) -> RateLimitItemPerMinute | None:
    return RateLimitItemPerMinute(amount, namespace=name) if amount else None


def _key(principal: Principal) -> str:
    return f"{principal.workspace_id}\0{principal.user_id}"
