"""The worker: runs processor-bound calls one at a time in a thread, and stops a call when its caller is cancelled."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from db.connection.errors import DatabaseUnavailable
from services.markdown_parser import Budget

T = TypeVar("T")


class Worker:
    """A thread that runs calls in order; a process has one worker for each kind of work.

    `max_pending` limits the total size of running and waiting calls, in a unit chosen by the callers, such as
    characters. An idle worker accepts a call of any size.
    """

    def __init__(self, name: str, max_pending: int) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._max_pending = max_pending
        self._pending = 0
        # Calls end in the thread or on cancellation, and may come from several event loops.
        self._lock = threading.Lock()
        self._name = name

    @property
    def pending(self) -> int:
        """The total size of running and waiting calls."""
        return self._pending

    async def run(self, size: int, budget: Budget, work: Callable[[], T]) -> T:
        """Return the result of `work`, which must stop when its `budget` is stopped.

        Raises `DatabaseUnavailable` immediately if the queue is full. If the caller is cancelled, a waiting call is
        dropped, and a running call is stopped.
        """
        with self._lock:
            if self._pending and self._pending + size > self._max_pending:
                raise DatabaseUnavailable(f"the queue of the {self._name} thread is full")
            self._pending += size

        def ended(_: Future[T]) -> None:
            with self._lock:
                self._pending -= size

        future = self._executor.submit(work)
        future.add_done_callback(ended)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            budget.stop()
            raise
