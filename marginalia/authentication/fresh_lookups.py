"""Fresh lookups: rows that are read at most once a second each, however often they are asked for."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from db.connection.errors import DatabaseUnavailable
from db.reading.coalescing import CoalescingLoader
from marginalia.authentication.bounded import Bounded

FRESH_S = 1.0
"""How old a result may be."""

READ_TIMEOUT_S = 5.0
"""How long a caller waits for the database."""

T = TypeVar("T")

_log = structlog.stdlib.get_logger("marginalia.authentication")


@dataclass(frozen=True, slots=True)
class _Result(Generic[T]):
    value: T
    read_at: float


class FreshLookups(Generic[T]):
    """Values by key, which are at most `FRESH_S` old, those that say that there is nothing included."""

    def __init__(self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]], most: int = 10_000) -> None:
        """Take the read of a batch, which returns an entry for every key."""
        self._loader = CoalescingLoader(read)
        self._results: Bounded[str, _Result[T]] = Bounded(most)
        self._reading: dict[str, asyncio.Task[T]] = {}

    async def find(self, key: str) -> T:
        """Return the value of a key. Raises `DatabaseUnavailable`."""
        result = self._results.get(key)
        if result is not None and time.monotonic() - result.read_at < FRESH_S:
            return result.value
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.create_task(self._read(key), context=Context())
            self._reading[key] = reading
            reading.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(reading)

    def _ended(self, key: str, reading: asyncio.Task[T]) -> None:
        del self._reading[key]
        if not reading.cancelled():
            reading.exception()  # marks it as retrieved, in case that every caller has gone

    async def _read(self, key: str) -> T:
        began = time.monotonic()
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                value = await self._loader.load(key)
        except TimeoutError:
            raise DatabaseUnavailable("The database did not answer in time") from None
        except DatabaseUnavailable:
            raise
        except Exception as error:
            # Nobody is refused for a fault of ours.
            _log.exception("Credentials cannot be looked up")
            raise DatabaseUnavailable("The credentials cannot be looked up") from error
        self._results.put(key, _Result(value, began))
        return value
