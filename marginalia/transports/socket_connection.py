"""WebSocket connections: uvicorn's protocol, with fixes for what it lacks.

`tests/upstream/test_upstream.py` shows each gap.
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from marginalia.transports.shutdown import end_with_the_others
from marginalia.transports.uploads import LARGEST_UPLOAD, UPLOAD_TIMEOUT_S, UploadBudget, UploadsExhausted
from marginalia.transports.watchdog import Watchdog, WriteStall

MAX_FRAGMENTS = 20_000
"""The maximum number of fragments in a message; each takes memory of its own."""

_log = logging.getLogger("marginalia.connections")


class SocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection, with a logger that we can silence: uvicorn's logs the URL of each handshake."""
        super().connection_made(transport)
        self.logger = _log
        self._budget: UploadBudget = self.app_state.get("uploads") or UploadBudget(LARGEST_UPLOAD)
        self._held = self._unread = 0
        self._upload_timer: asyncio.TimerHandle | None = None
        self._stall = WriteStall(self.transport, Watchdog.of(self.app_state, self.loop, self.connections).now)
        end_with_the_others(self, self.app_state, self.loop)

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
        self._hold_reading()
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
        if self.read_paused or not self.writable.is_set():  # the delay is ours: reading is paused
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
        self._hold_reading()
        if self.close_sent:
            self.handshake_complete = True  # uvicorn omits this if an HTTP response rejects the handshake

    def pause_writing(self) -> None:
        """Stop writing, and reading with it: pings would fill the memory with pongs that nobody reads."""
        super().pause_writing()
        self._stall.pause_writing()
        self._hold_reading()

    def resume_writing(self) -> None:
        """Write again, and read again."""
        super().resume_writing()
        self._stall.resume_writing()
        if not (self.read_paused or self.transport.is_closing()):
            self.transport.resume_reading()

    def _hold_reading(self) -> None:
        if not self.writable.is_set():
            self.transport.pause_reading()

    def shutdown(self) -> None:
        """Send the client a close frame, and wait only as long as it keeps reading."""
        if not self.transport.is_closing():
            super().shutdown()
        self._stall.is_ending = True

    def check(self, now: float) -> None:
        """Cut the connection if its client does not read."""
        self._stall.check(now)


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
