"""Connections: uvicorn's protocols, and what they leave open; `tests/edge/test_upstream.py` shows what that is."""

import asyncio
import logging
import math
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

GLANCE = 2.0
"""Once the server was told to stop: how many seconds a client may take nothing of what is left for it."""

SHORTLY = 0.1
"""After how many seconds a connection is asked to end that was made once the server was told to stop."""

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
        _end_with_the_others(self)

    def data_received(self, data: bytes) -> None:
        """Take what came, and answer a handshake that cannot be read: uvicorn would keep it waiting for ever."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            answer = b"".join(self.conn.data_to_send())  # it is there if something is too long
            self.transport.write(answer or self.conn.reject(400, "This handshake cannot be read.\n").serialize())
            self.handshake_complete = self.close_sent = True
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """Hand over a message; one that is no UTF-8 ends the socket, and is no fault of ours as uvicorn has it."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf_8(b"".join(self.frames)):
            self.frames = []
            self.conn.fail(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

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
