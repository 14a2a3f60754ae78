"""Stepping: an event loop whose tasks are counted step by step, so that a call can be cancelled after each of them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")


class _Stepped(Coroutine[Any, Any, T]):
    """A coroutine that tells of each of its steps."""

    def __init__(self, inner: Coroutine[Any, Any, T], stepped: Callable[[], None]) -> None:
        self._inner, self._stepped = inner, stepped

    def send(self, value: Any) -> Any:
        """Take a step."""
        try:
            return self._inner.send(value)
        finally:
            self._stepped()

    def throw(self, *error: Any) -> Any:
        """Take a step into an exception."""
        try:
            return self._inner.throw(*error)
        finally:
            self._stepped()

    def close(self) -> None:
        """End it."""
        self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()


@contextmanager
def _steps_told(stepped: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(_Stepped(coroutine, stepped), loop=loop, **options)

    loop.set_task_factory(task)
    try:
        yield
    finally:
        loop.set_task_factory(None)


async def cancelled_after(steps: int, call: Callable[[], Awaitable[T]]) -> bool:
    """Cancel a call after so many steps of all tasks that were begun for it; False: it had ended by then."""
    taken = 0

    async def run() -> T:
        return await call()

    def stepped() -> None:
        nonlocal taken
        taken += 1
        if taken == steps:
            task.cancel()

    with _steps_told(stepped):
        task = asyncio.create_task(run())
        if steps == 0:
            task.cancel()  # before it has begun
        with suppress(asyncio.CancelledError):
            await task
    return task.cancelled()
