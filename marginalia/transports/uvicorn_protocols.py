"""Connections: uvicorn's protocols, and what they leave open; `tests/upstream/test_upstream.py` shows what that is."""

import asyncio
import logging
import math
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from marginalia.uploads import LARGEST_UPLOAD, UPLOAD_TIMEOUT_S, UploadBudget, UploadsExhausted

GLANCE = 2.0
"""Once the server was told to stop: how many seconds a client may take nothing of what is left for it."""

SHORTLY = 0.1
"""After how many seconds a connection is asked to end that was made once the server was told to stop."""

KEEP_ALIVE_S = 90
"""How long a connection without a request is kept: longer than by proxies and pools of clients, mostly 60 to 75 s.

It must not be the server that closes first: a request that is on its way just then would be lost.
"""

MAX_FRAGMENTS = 20_000
"""In how many pieces a message may come, for each takes memory of its own."""

_log = logging.getLogger("marginalia.connections")


class HttpConnection(H11Protocol):
    """A connection over which requests come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, and end with all the others."""
        super().connection_made(transport)  # type: ignore[arg-type] # uvicorn asks for more than asyncio promises
        _end_with_the_others(self)

    def shutdown(self) -> None:
        """End with the answer that is being given, or with the client that does not take it."""
        super().shutdown()
        _cut_when_stuck(self.loop, self.transport)


class SocketConnection(WebSocketsSansIOProtocol):
    """A connection that has become a WebSocket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, with a log that is ours to keep quiet: uvicorn's tells of the whole URL of each handshake."""
        super().connection_made(transport)
        self.logger = _log
        self._budget: UploadBudget = self.app_state.get("uploads") or UploadBudget(LARGEST_UPLOAD)
        self._held = self._unread = 0
        self._upload_timer: asyncio.TimerHandle | None = None
        _end_with_the_others(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and hold nothing any more."""
        super().connection_lost(exc)
        self._stop_upload_timer()
        self._held = self._budget.change(self._held, 0)

    def data_received(self, data: bytes) -> None:
        """Take what came, and answer a handshake that cannot be read: uvicorn would keep it waiting for ever."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            answer = b"".join(self.conn.data_to_send())  # it is there if something is too long
            self.transport.write(answer or self.conn.reject(400, "This handshake cannot be read.\n").serialize())
            self.handshake_complete = self.close_sent = True
            self.transport.close()
        elif not self.close_sent:
            self._bound_upload()

    def send_receive_event_to_app(self) -> None:
        """Hand over a message; one that is no UTF-8 ends the socket, and is no fault of ours as uvicorn has it."""
        self._stop_upload_timer()
        self._unread += sum(map(len, self.frames))
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf_8(b"".join(self.frames)):
            self.frames = []
            self.conn.fail(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    async def receive(self) -> Any:
        """Give the application the next message, which is not counted any longer: it is decoded at once."""
        message = await super().receive()
        if self.queue.empty():
            self._unread = 0
            if not (self.close_sent or self.disconnected):
                self._bound_upload()
        return message

    def _bound_upload(self) -> None:
        """Count what there is of messages, and end a socket that takes too much memory or time for one."""
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
        if self.read_paused:  # it is we who do not read on
            self._upload_timer = self.loop.call_later(UPLOAD_TIMEOUT_S, self._upload_timeout)
        elif not self.close_sent and not self.transport.is_closing():
            self._fail(CloseCode.POLICY_VIOLATION, "The rest of a message did not come in time")

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
        """Send what the application says, as long as there is somebody to be told."""
        # When a slow client has taken enough, all who wait are woken, and the first has filled the buffer again.
        while not self.writable.is_set():
            await self.writable.wait()
        if self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True  # uvicorn forgets it where an answer in HTTP refuses the handshake

    def send_keepalive_ping(self) -> None:
        """Ask whether the client is there; after the end, wait a little longer for it to take what is left."""
        if self.close_sent or self.transport.is_closing():
            self.pong_timer = self.loop.call_later(self.close_timeout, self.transport.abort)
        else:
            super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Leave a client that is not there; it will not take what is left either."""
        super().keepalive_timeout()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def shutdown(self) -> None:
        """Tell the client of the end, and wait for it no longer than it goes on reading."""
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
    """Have a connection end that was being made while uvicorn asked all there were to do so: it will not ask again."""

    def end() -> None:
        if connection in connection.connections:  # it may be gone, or have become another one
            connection.shutdown()

    if "ending" in connection.app_state and connection.app_state["ending"].is_set():
        connection.loop.call_later(SHORTLY, end)


def _cut_when_stuck(loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, before: float = math.inf) -> None:
    """Look now and then at what is left to be sent, and cut the connection once nothing was taken of it."""
    left = transport.get_write_buffer_size()
    if left and left >= before:
        transport.abort()
    elif left or not transport.is_closing():
        loop.call_later(GLANCE, _cut_when_stuck, loop, transport, left or math.inf)
