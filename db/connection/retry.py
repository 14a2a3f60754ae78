"""Retries and timeouts: the number of attempts after a conflict, and how long each database call may take."""

import asyncio
import random
from typing import Self

from db.connection import deadlines, query_stats

MAX_ATTEMPTS = 5
"""The number of attempts, including the first one."""

CONNECT_TIMEOUT_S = 5.0
"""The timeout for opening a connection. Also the timeout for a read, to which the lock timeout is added."""

STATEMENT_TIMEOUT_S = 30.0
"""The statement timeout on PostgreSQL."""

CLOSE_TIMEOUT_S = 5.0
"""How long a shutdown waits for running transactions, and then again for the connections to close."""

RETRY_AFTER_MS = 1_000
"""The delay after which a client should retry a call that was temporarily unavailable."""


class RetrySchedule:
    """Yields the attempt numbers, from 1, with a backoff before each retry and no attempt after the deadline.

    It is not a generator: a caller that succeeds leaves the loop early, and there is nothing to close.
    """

    def __init__(self, *, eager: bool = False) -> None:
        """`eager`: the second attempt follows at once, because it usually finds what another caller just wrote."""
        self._number = 0
        self._at_once = 2 if eager else 1

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        """Wait with exponential backoff and jitter, so that two callers that collided separate. Return the number."""
        stats = query_stats.current() if self._number else None
        if self._number == MAX_ATTEMPTS or (self._number and deadlines.has_passed()):
            if stats:
                stats.unavailable += 1
            raise StopAsyncIteration
        self._number += 1
        if stats:
            stats.retries += 1
        if self._number > self._at_once:
            await asyncio.sleep(random.uniform(0, 0.01 * 2 ** (self._number - 1)))  # noqa: S311 - jitter, not a secret
        return self._number
