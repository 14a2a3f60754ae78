"""Work that takes a processor for long: one piece at a time in a thread, stopped when nobody waits for it."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from db.connection.errors import DatabaseUnavailable
from services.markdown_parser import Budget

T = TypeVar("T")


class Worker:
    """A thread that works through calls in their order; a process has one for each kind of work.

    `max_pending` is how large the calls that run or wait may be in all, in a unit that callers share, such as
    characters. A call that comes to an idle worker is taken whatever its size.
    """

    def __init__(self, name: str, max_pending: int) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._max_pending = max_pending
        self._pending = 0
        # Calls end in the thread, or where they are cancelled; several event loops may make them.
        self._lock = threading.Lock()
        self._name = name

    @property
    def pending(self) -> int:
        """How large the calls are that run or wait."""
        return self._pending

    async def run(self, size: int, budget: Budget, work: Callable[[], T]) -> T:
        """Return the result of `work`, which has to stop when its `budget` is stopped.

        Raises `DatabaseUnavailable` at once where too much waits already. When the caller is cancelled, work that waits is
        dropped, and work that runs is stopped.
        """
        with self._lock:
            if self._pending and self._pending + size > self._max_pending:
                raise DatabaseUnavailable(f"too much waits for the {self._name} thread")
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
