"""HTTP connections: how many there are, and how long each waits for its client."""

import asyncio
from http import HTTPStatus

from marginalia.transports.connection_limit import ConnectionLimit
from marginalia.transports.http_cycles import BackPressure
from marginalia.transports.http_requests import HEAD_TIMEOUT_S, HttpRequests
from marginalia.transports.shutdown import end_with_the_others
from marginalia.transports.watchdog import Watchdog, WriteStall

KEEP_ALIVE_S = 90
"""The keep-alive timeout: longer than that of proxies and client connection pools, mostly 60 to 75 s.

The server must not close first: a request in flight at that moment would be lost.
"""


class HttpConnection(HttpRequests):
    """An HTTP connection."""

    _deadline: float | None = None
    """When the watchdog gives up waiting for the client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection, or refuse it; let it end if the server is shutting down."""
        limit: ConnectionLimit | None = self.app_state.get("connection_limit")
        if limit is not None and not limit.admits(len(self.connections)):
            self.transport = transport  # type: ignore[assignment] # uvicorn asks for more than asyncio promises
            self._end(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.\n", (b"retry-after", b"5"))
            return
        super().connection_made(transport)  # type: ignore[arg-type]
        self.flow = BackPressure(self.transport)
        self._watchdog = Watchdog.of(self.app_state, self.loop, self.connections)
        self._stall = WriteStall(self.transport, self._watchdog.now)
        self._wait(HEAD_TIMEOUT_S)
        end_with_the_others(self, self.app_state, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection."""
        super().connection_lost(exc)
        self._then, self._backlog = None, b""

    def shutdown(self) -> None:
        """End after the current response, or cut the connection if the client does not read it."""
        super().shutdown()
        self._stall.is_ending = True

    def pause_writing(self) -> None:
        """Stop writing: the buffer is full."""
        super().pause_writing()
        self._stall.pause_writing()

    def resume_writing(self) -> None:
        """Write again."""
        super().resume_writing()
        self._stall.resume_writing()

    def check(self, now: float) -> None:
        """Close the connection if its client takes too long to read, or to send."""
        self._stall.check(now)
        if self._deadline is None or now < self._deadline or self.transport.is_closing():
            return
        if not self._is_idle or self.flow.read_paused:
            self._wait(HEAD_TIMEOUT_S)  # the delay is ours
        elif self._in_head:
            self._end(HTTPStatus.REQUEST_TIMEOUT, "The rest of the request did not arrive in time.\n")
        else:
            self.transport.close()

    def _wait(self, seconds: float) -> None:
        self._deadline = self._watchdog.now + seconds

    def _stop_waiting(self) -> None:
        self._deadline = None
