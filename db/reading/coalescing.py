"""Gathering: reads that are asked for at the same time, by whichever operation, sent as one statement."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from db import deadlines
from db.bisection import read_each
from db.connection import query_stats
from db.connection.errors import DatabaseUnavailable

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

MAX_IN_FLIGHT = 2
"""How many statements may be on their way: while one is read, the next one is sent."""

MAX_BATCH_SIZE = 200
"""How many keys one statement has at most."""


class CoalescingLoader(Generic[K, T]):
    """Reads by key for all operations of a process.

    Nothing is remembered: every read is of a statement that was sent after it was asked for. Where statements are on
    their way already, what is asked for meanwhile waits together for the next one, so that a busy server sends fewer.
    A key that fails, fails alone, whoever shares its statement.
    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, T]]]) -> None:
        self._read = read
        self._waiting: dict[K, list[asyncio.Future[T]]] = defaultdict(list)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading = 0
        self._about_to_read = False

    async def load(self, key: K) -> T:
        """Read what is there for a key, which has its entry in whatever is read.

        Raises `DatabaseUnavailable`, at the deadline at the latest.
        """
        if tally := query_stats.current():
            tally.statements += 1
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting[key].append(future)
        if not self._about_to_read and self._reading < MAX_IN_FLIGHT:
            self._about_to_read = True
            # In a context of its own: it works for many, and nothing of it should be counted for one of them.
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
        # Counted here and not by the tasks: one that has ended is still there for a moment, in which nobody would read
        # for those who ask.
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
            except Exception as error:  # whatever it is, it is for all who asked
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
    # Whoever waits behind many others waits no longer than alone; what is not on its way yet is not read for it.
    if not future.done():
        future.set_exception(DatabaseUnavailable("The database did not answer in time"))


_NOT_READ = KeyError("A read has no entry for a key")
