"""Disconnects: a query is cancelled when its client disconnects."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect
from starlette.types import Receive

WATCH_AFTER_S = 0.1
"""How long a query runs before its client is watched. Watching the client of a fast query would cost more."""


@contextmanager
def cancelled_on_disconnect(receive: Receive) -> Iterator[None]:
    """Cancel the block when the client disconnects, and raise `ClientDisconnect`.

    The request body must have been read: `receive` can then return nothing but the disconnect.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a request is always served in a task
    watch = _Watch(task, receive)
    timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, watch.begin)
    try:
        yield
    except asyncio.CancelledError:
        # If the server also cancelled the task, as at shutdown, the task stays cancelled.
        if watch.is_gone and not task.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        timer.cancel()
        watch.end()


class _Watch:
    """Waits for the disconnect, and then cancels the task."""

    def __init__(self, task: asyncio.Task[object], receive: Receive) -> None:
        self.is_gone = False
        self._task, self._receive = task, receive
        self._watching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._watching = asyncio.create_task(self._until_gone())

    def end(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True
        self._task.cancel()
