"""The loader: batches reads by key, and caches what was read until the operation ends."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

AwaitableOrValue: TypeAlias = T | Awaitable[T]
"""A value, or an awaitable of it. A caller that accepts both avoids a needless await."""


Loaded: TypeAlias = T | Exception
"""A value, or why it cannot be read."""


class _Batch(Generic[K, T]):
    """Keys to read together, and where what is read goes."""

    def __init__(self, read: dict[K, Loaded[T]]) -> None:
        self.keys: list[K] = []
        self.read = read
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None
        """Kept here, because the event loop holds its tasks weakly."""


class Loader(Generic[K, T]):
    """Loads by key: concurrent keys in one batch, each key once, and known keys without a statement.

    The failure of a key does not affect the other keys of its batch.
    """

    def __init__(self, load: Callable[[list[K]], Awaitable[Sequence[Loaded[T]]]], known: Mapping[K, T]) -> None:
        self._load = load
        self._known = known
        self._forget()

    def get(self, key: K) -> AwaitableOrValue[T]:
        """Return the value of a key, without an awaitable if it is known."""
        return self._known[key] if key in self._known else self.load(key)

    async def load(self, key: K) -> T:
        """Return the value of a key. Raises why it cannot be read."""
        (value,) = await self.load_many([key])
        if isinstance(value, Exception):
            raise value
        return value

    def many(self, keys: Sequence[K]) -> AwaitableOrValue[Sequence[Loaded[T]]]:
        """Return the values of keys in their order, without an awaitable if all are known."""
        known = self._known
        return [known[key] for key in keys] if all(key in known for key in keys) else self.load_many(keys)

    async def load_many(self, keys: Sequence[K]) -> Sequence[Loaded[T]]:
        """Return the values of keys in their order; an exception stands for one that cannot be read."""
        known, read = self._known, self._read
        missing = [key for key in dict.fromkeys(keys) if key not in known and key not in read]
        if missing:
            pending = self._pending
            waiting = {pending[key] for key in missing if key in pending}
            if unasked := [key for key in missing if key not in pending] if waiting else missing:
                waiting.add(self._ask(unasked))
            # Not awaited themselves: a caller that is cancelled would cancel them for the others.
            await asyncio.wait(waiting)
        return [known[key] if key in known else read[key] for key in keys]

    def clear(self) -> None:
        """Forget what was read, and what is being read."""
        self._forget()

    def _forget(self) -> None:
        self._read: dict[K, Loaded[T]] = {}
        self._pending: dict[K, asyncio.Future[None]] = {}
        self._next: _Batch[K, T] | None = None

    def _ask(self, keys: list[K]) -> asyncio.Future[None]:
        """Add keys to the next batch, and return what is done once it has been read."""
        if self._next is None:
            self._next = _Batch(self._read)
            asyncio.get_running_loop().call_soon(self._begin, self._next)
        self._next.keys += keys
        self._pending.update(dict.fromkeys(keys, self._next.done))
        return self._next.done

    def _begin(self, batch: _Batch[K, T]) -> None:
        if self._next is batch:
            self._next = None
        batch.task = asyncio.get_running_loop().create_task(self._run(batch))

    async def _run(self, batch: _Batch[K, T]) -> None:
        try:
            values = await self._load(batch.keys)
        except Exception as error:
            values = [error] * len(batch.keys)
        except BaseException:
            batch.done.cancel()
            raise
        batch.read.update(zip(batch.keys, values, strict=True))
        for key in batch.keys:
            if self._pending.get(key) is batch.done:
                del self._pending[key]
        batch.done.set_result(None)
