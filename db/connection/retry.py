"""Patience: how often whoever lost against somebody else tries, and how long anything of the database is waited for."""

import asyncio
import random
from typing import Self

from db import deadlines
from db.connection import query_stats

MAX_ATTEMPTS = 5
"""How often something is tried in all."""

CONNECT_TIMEOUT = 5.0
"""How many seconds making a connection may take; and an answer that only has to be read, beside waiting for locks."""

STATEMENT_TIMEOUT = 30.0
"""How many seconds PostgreSQL works on a statement at most."""

CLOSE_TIMEOUT = 5.0
"""How many seconds the end of what is running, and then of the connections, is waited for."""

RETRY_AFTER_MS = 1_000
"""After how many milliseconds a client that was told to come again should do so."""


class RetrySchedule:
    """The numbers of the attempts, from 1, with a pause before each but the first, and none after the deadline.

    It is no generator: leaving the loop early, as who succeeds does, leaves nothing to be closed.
    """

    def __init__(self, *, eager: bool = False) -> None:
        """`eager`: the second one comes at once, for it mostly finds what somebody else has just done."""
        self._number = 0
        self._at_once = 2 if eager else 1

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        """Wait a little, the longer the later, so that two who collided part, and return the number."""
        tally = query_stats.current() if self._number else None
        if self._number == MAX_ATTEMPTS or (self._number and deadlines.has_passed()):
            if tally:
                tally.unavailable += 1
            raise StopAsyncIteration
        self._number += 1
        if tally:
            tally.retries += 1
        if self._number > self._at_once:
            await asyncio.sleep(random.uniform(0, 0.01 * 2 ** (self._number - 1)))  # noqa: S311 - jitter, not a secret
        return self._number
