"""The watchdog: closes the connections of clients that are too slow, with one timer for a whole process."""

import asyncio
import sys
from collections.abc import Collection
from typing import Any, Protocol

CHECK_INTERVAL_S = 0.5
"""The interval at which the connections are checked."""

WRITE_STALL_TIMEOUT_S = 10.0
"""How long a client may read nothing of its pending data before the connection is cut."""

SHUTDOWN_STALL_TIMEOUT_S = 2.0
"""The same during shutdown."""


class Watched(Protocol):
    """A connection that the watchdog checks."""

    def check(self, now: float) -> None:
        """Close the connection if its client is too slow. `now` is the time of the watchdog."""


class Watchdog:
    """Checks all connections of a process at intervals."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: Collection[Watched]) -> None:
        self.now = 0.0
        """The watchdog's own time. It stands still while the process is blocked, which is not the clients' fault."""
        self._loop = loop
        self._connections = connections
        self._checked_at = loop.time()
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, app_state: dict[str, Any], loop: asyncio.AbstractEventLoop, connections: Any) -> "Watchdog":
        """Return the watchdog of a server, and have it check from now on."""
        watchdog: Watchdog = app_state.get("watchdog") or app_state.setdefault("watchdog", cls(loop, connections))
        watchdog._start()
        return watchdog

    def _start(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(CHECK_INTERVAL_S, self._check)

    def _check(self) -> None:
        self._timer = None
        before, self._checked_at = self._checked_at, self._loop.time()
        self.now += min(self._checked_at - before, 2 * CHECK_INTERVAL_S)
        if self._connections:
            self._start()
        for connection in list(self._connections):
            connection.check(self.now)


class WriteStall:
    """Cuts the connection of a client that reads nothing of its pending data."""

    def __init__(self, transport: asyncio.Transport, now: float) -> None:
        self.is_ending = False
        """Whether the server is shutting down."""
        self._transport = transport
        self._is_paused = False
        self._pending = 0
        self._since = now

    def pause_writing(self) -> None:
        """Note that the buffer is full: from now on it changes only when the client reads, or for a few bytes."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Note that the client has read."""
        self._is_paused = False
        self._pending = sys.maxsize

    def check(self, now: float) -> None:
        """Cut the connection if it has stalled for too long."""
        pending = self._transport.get_write_buffer_size()
        # While writing is not paused, a larger buffer does not show whether the client has read in between.
        has_moved = pending < self._pending if self._is_paused else pending != self._pending
        if not pending or has_moved:
            self._since = now
        elif now - self._since >= (SHUTDOWN_STALL_TIMEOUT_S if self.is_ending else WRITE_STALL_TIMEOUT_S):
            self._transport.abort()
        self._pending = pending
