"""uvicorn's protocols, with fixes for what they lack; `tests/upstream/test_upstream.py` shows each gap."""

import asyncio
import logging
import math
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from marginalia.transports.uploads import LARGEST_UPLOAD, UPLOAD_TIMEOUT_S, UploadBudget, UploadsExhausted

WRITE_STALL_TIMEOUT_S = 2.0
"""During shutdown: how long a client may read nothing of its pending data before the connection is cut."""

LATE_SHUTDOWN_DELAY_S = 0.1
"""How long after its start a connection made during shutdown is told to end."""

KEEP_ALIVE_S = 90
"""The keep-alive timeout: longer than that of proxies and client connection pools, mostly 60 to 75 s.

The server must not close first: a request in flight at that moment would be lost.
"""

MAX_FRAGMENTS = 20_000
"""The maximum number of fragments in a message; each takes memory of its own."""

_log = logging.getLogger("marginalia.connections")


class HttpConnection(H11Protocol):
    """An HTTP connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection, and let it end if the server is shutting down."""
        super().connection_made(transport)  # type: ignore[arg-type] # uvicorn asks for more than asyncio promises
        _end_with_the_others(self)

    def shutdown(self) -> None:
        """End after the current response, or cut the connection if the client does not read it."""
        super().shutdown()
        _cut_when_stuck(self.loop, self.transport)


class SocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection, with a logger that we can silence: uvicorn's logs the URL of each handshake."""
        super().connection_made(transport)
        self.logger = _log
        self._budget: UploadBudget = self.app_state.get("uploads") or UploadBudget(LARGEST_UPLOAD)
        self._held = self._unread = 0
        self._upload_timer: asyncio.TimerHandle | None = None
        _end_with_the_others(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection, and release its memory budget."""
        super().connection_lost(exc)
        self._stop_upload_timer()
        self._held = self._budget.change(self._held, 0)

    def data_received(self, data: bytes) -> None:
        """Process incoming data, and reject an invalid handshake: uvicorn would leave it without a response."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            answer = b"".join(self.conn.data_to_send())  # websockets has a response if something is too long
            self.transport.write(answer or self.conn.reject(400, "This handshake cannot be read.\n").serialize())
            self.handshake_complete = self.close_sent = True
            self.transport.close()
        elif not self.close_sent:
            self._bound_upload()

    def send_receive_event_to_app(self) -> None:
        """Pass on a message. Invalid UTF-8 closes the socket; in uvicorn it would be a server error."""
        self._stop_upload_timer()
        self._unread += sum(map(len, self.frames))
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf_8(b"".join(self.frames)):
            self.frames = []
            self.conn.fail(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    async def receive(self) -> Any:
        """Return the next message. It no longer counts as memory, because the application decodes it at once."""
        message = await super().receive()
        if self.queue.empty():
            self._unread = 0
            if not (self.close_sent or self.disconnected):
                self._bound_upload()
        return message

    def _bound_upload(self) -> None:
        """Count the memory of unread messages, and close a socket whose message takes too much memory or time."""
        unfinished = len(self.conn.reader.buffer) + sum(map(len, self.frames))
        if len(self.frames) > MAX_FRAGMENTS:
            self._fail(CloseCode.MESSAGE_TOO_BIG, "A message has too many fragments")
            return
        try:
            self._held = self._budget.change(self._held, self._unread + unfinished)
        except UploadsExhausted:
            self._fail(CloseCode.TRY_AGAIN_LATER, "Too many long messages are being read")
            return
        if not unfinished:
            self._stop_upload_timer()
        elif self._upload_timer is None:
            self._upload_timer = self.loop.call_later(UPLOAD_TIMEOUT_S, self._upload_timeout)

    def _upload_timeout(self) -> None:
        self._upload_timer = None
        if self.read_paused:  # the delay is ours: reading is paused
            self._upload_timer = self.loop.call_later(UPLOAD_TIMEOUT_S, self._upload_timeout)
        elif not self.close_sent and not self.transport.is_closing():
            self._fail(CloseCode.POLICY_VIOLATION, "The rest of a message did not arrive in time")

    def _stop_upload_timer(self) -> None:
        if self._upload_timer is not None:
            self._upload_timer.cancel()
            self._upload_timer = None

    def _fail(self, code: CloseCode, reason: str) -> None:
        self._stop_upload_timer()
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    async def send(self, message: Any) -> None:
        """Send a message of the application, unless the client is gone."""
        # A loop: when a slow client has read enough, all waiting senders wake up, and the first fills the buffer again.
        while not self.writable.is_set():
            await self.writable.wait()
        if self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True  # uvicorn omits this if an HTTP response rejects the handshake

    def send_keepalive_ping(self) -> None:
        """Ping the client. After the close, wait a little longer for it to read the pending data."""
        if self.close_sent or self.transport.is_closing():
            self.pong_timer = self.loop.call_later(self.close_timeout, self.transport.abort)
        else:
            super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Drop a client that does not answer pings, with its pending data."""
        super().keepalive_timeout()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def shutdown(self) -> None:
        """Send the client a close frame, and wait only as long as it keeps reading."""
        if not self.transport.is_closing():
            super().shutdown()
        _cut_when_stuck(self.loop, self.transport)


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _end_with_the_others(connection: HttpConnection | SocketConnection) -> None:
    """End a connection that was made during shutdown: uvicorn has already told the others to end, and does so once."""

    def end() -> None:
        if connection in connection.connections:  # it may be gone, or upgraded to a WebSocket
            connection.shutdown()

    if "ending" in connection.app_state and connection.app_state["ending"].is_set():
        connection.loop.call_later(LATE_SHUTDOWN_DELAY_S, end)


def _cut_when_stuck(loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, before: float = math.inf) -> None:
    """Check the pending data at intervals, and cut the connection when the client has read none of it."""
    left = transport.get_write_buffer_size()
    if left and left >= before:
        transport.abort()
    elif left or not transport.is_closing():
        loop.call_later(WRITE_STALL_TIMEOUT_S, _cut_when_stuck, loop, transport, left or math.inf)
