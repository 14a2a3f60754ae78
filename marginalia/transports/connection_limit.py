"""The connection limit: how many connections a process holds, and what happens to those beyond it."""

import asyncio
from typing import Any

import structlog

from marginalia.observability.throttle import Throttle

MAX_CONNECTIONS = 5_000
"""The default. An idle connection takes some ten kilobytes, and one with a subscription a few times as much."""

_OUT_OF_FILES = "socket.accept() out of system resource"
_RETRY = "BaseSelectorEventLoop._start_serving"

_log = structlog.stdlib.get_logger("marginalia.serving")


class ConnectionLimit:
    """The maximum number of connections, HTTP and WebSockets together."""

    def __init__(self, most: int = MAX_CONNECTIONS) -> None:
        self.most = most
        self.refused = 0
        self._throttle = Throttle()

    def admits(self, connections: int) -> bool:
        """Tell whether there is room beside so many connections. A refusal is counted, and logged once a second."""
        if connections < self.most:
            return True
        self.refused += 1
        if count := self._throttle.count():
            _log.warning("connections refused", count=count, limit=self.most)
        return False


def throttle_accept_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Log once a second that the process has no files for connections: asyncio says it thousands of times a second.

    uvloop says nothing: it closes the connections that it has no files for.
    """
    throttle = Throttle()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        message = context.get("message", "")
        if _RETRY in message and isinstance(context.get("exception"), ValueError):
            return  # it has as many retries waiting, and the socket is closed meanwhile
        if message != _OUT_OF_FILES:
            loop.default_exception_handler(context)
        elif count := throttle.count():
            _log.error("cannot accept connections", count=count, reason=str(context.get("exception")))

    loop.set_exception_handler(handle)
