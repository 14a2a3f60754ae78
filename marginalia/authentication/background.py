"""Background work: tasks that no request waits for, ended with the process."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any


class Background:
    """Tasks that are kept until they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a task. It must handle its own errors."""
        task = asyncio.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for the tasks that have begun."""
        if self._tasks:
            await asyncio.wait(self._tasks)
