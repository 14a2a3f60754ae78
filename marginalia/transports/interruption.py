"""Interruptions: what a task waits for is ended from outside, with a reason."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from marginalia.authentication.session import SessionEnded

T = TypeVar("T")


class Interruption:
    """Ends the waits of a task once its session has ended. Work that the task does meanwhile is not interrupted."""

    def __init__(self) -> None:
        self._reason: SessionEnded | None = None
        self._waiting: asyncio.Task[object] | None = None

    def interrupt(self, reason: SessionEnded) -> None:
        """End the present wait, or the next one. Only the first reason counts."""
        if self._reason is None:
            self._reason = reason
            if self._waiting is not None:
                self._waiting.cancel()

    async def wait(self, begin: Callable[[], Awaitable[T]]) -> T:
        """Wait for something. Raises `SessionEnded` if that is interrupted."""
        if self._reason is not None:
            raise self._reason
        task = self._waiting = asyncio.current_task()
        assert task is not None  # noqa: S101 - a stream is always served in a task
        try:
            result = await begin()
        except asyncio.CancelledError:
            # If the server also cancelled the task, as at shutdown, the task stays cancelled.
            if self._reason is not None and not task.uncancel():
                raise self._reason from None
            raise
        finally:
            self._waiting = None
        if self._reason is not None:  # the wait was over just before
            task.uncancel()
            raise self._reason
        return result
