"""Request coalescing: concurrent reads of many operations, sent as one statement."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from db.connection import deadlines, query_stats
from db.connection.errors import DatabaseUnavailable
from db.reading.bisection import read_each

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

MAX_IN_FLIGHT = 2
"""The maximum number of concurrent statements: while one result is read, the next statement is sent."""

MAX_BATCH_SIZE = 200
"""The maximum number of keys in a statement."""


class CoalescingLoader(Generic[K, T]):
    """Reads by key for all operations of a process.

    Nothing is cached: a result always comes from a statement sent after the caller asked. While statements are in
    flight, new keys wait together for the next one, so a busy server sends fewer statements. The failure of a key does
    not affect the other keys of its statement.
    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, T]]]) -> None:
        self._read = read
        self._waiting: dict[K, list[asyncio.Future[T]]] = defaultdict(list)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading = 0
        self._about_to_read = False

    async def load(self, key: K) -> T:
        """Read the value of a key. The batch function must return an entry for every key.

        Raises `DatabaseUnavailable`, at the deadline at the latest.
        """
        if stats := query_stats.current():
            stats.statements += 1
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting[key].append(future)
        if not self._about_to_read and self._reading < MAX_IN_FLIGHT:
            self._about_to_read = True
            # A context of its own: the task works for many operations, so none of them must be charged for it.
            reader = asyncio.create_task(self._read_on(), context=Context())
            self._tasks.add(reader)
            reader.add_done_callback(self._tasks.discard)
        if (deadline := deadlines.current()) is None:
            return await future
        timer = asyncio.get_running_loop().call_at(deadline, _give_up, future)
        try:
            return await future
        finally:
            timer.cancel()

    async def _read_on(self) -> None:
        self._about_to_read = False
        # A counter, not len(self._tasks): a finished task stays in the set for a moment, in which new keys would get no
        # reader.
        self._reading += 1
        try:
            await self._read_while_asked()
        finally:
            self._reading -= 1

    async def _read_while_asked(self) -> None:
        while self._waiting:
            if not (batch := self._next()):
                continue
            found: Mapping[K, T | Exception]
            try:
                found = await read_each(self._read, list(batch))
            except Exception as error:  # any error goes to all callers of the batch
                found = dict.fromkeys(batch, error)
            for key, futures in batch.items():
                value = found.get(key, _NOT_READ)
                for future in futures:
                    if future.done():
                        continue
                    if isinstance(value, Exception):
                        future.set_exception(value)
                    else:
                        future.set_result(value)

    def _next(self) -> Mapping[K, list[asyncio.Future[T]]]:
        batch: dict[K, list[asyncio.Future[T]]] = {}
        for key in list(self._waiting)[:MAX_BATCH_SIZE]:
            if wanted := [future for future in self._waiting.pop(key) if not future.done()]:
                batch[key] = wanted
        return batch


def _give_up(future: asyncio.Future[T]) -> None:
    # A caller in a long queue waits no longer than its deadline. A key not yet in flight is then not read for it.
    if not future.done():
        future.set_exception(DatabaseUnavailable("The database did not answer in time"))


_NOT_READ = KeyError("A read has no entry for a key")
