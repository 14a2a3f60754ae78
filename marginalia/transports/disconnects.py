"""Disconnects: a query is cancelled once the client that waits for its answer is gone."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect
from starlette.types import Receive

WATCH_AFTER_S = 0.1
"""How long a query runs before its client is watched: to watch those that are answered at once would cost more."""


@contextmanager
def cancelled_on_disconnect(receive: Receive) -> Iterator[None]:
    """Cancel what is done within the block when the client disconnects. Raises `ClientDisconnect` in its place.

    The body of the request has been read: all that `receive` can still give is the disconnect.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a request is always served by a task
    watch = _Watch(task, receive)
    timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, watch.begin)
    try:
        yield
    except asyncio.CancelledError:
        # Somebody else may have cancelled the task as well, as the server does at its end: then it stays cancelled.
        if watch.is_gone and not task.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        timer.cancel()
        watch.end()


class _Watch:
    """Waits for the disconnect beside the task that it then cancels."""

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
