"""HTTP requests on one connection: parsed, checked and answered one after the other."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from marginalia.transports import request_head
from marginalia.transports.http_cycles import OldCycle, last_response
from marginalia.transports.request_head import MalformedHead
from marginalia.transports.uploads import UPLOAD_TIMEOUT_S

HEAD_TIMEOUT_S = 10.0
"""How long the head of a request may take, from its first byte, or from the start of the connection."""

PIECE_BYTES = 16_384
"""How much is parsed before looking whether requests are waiting: it bounds how many of them there are."""


class HttpRequests(HttpToolsProtocol, ABC):
    """uvicorn's protocol on httptools. It parses hardly further than the next request while a response is in progress.

    `tests/upstream/test_http.py` shows what it mends, and which private attributes of uvicorn it relies on.
    """

    _in_head = False
    """Whether the parser is within the head of a request."""
    _in_body = False
    """Whether the parser is between the head of a request and its end."""
    _read: bytearray
    """What was read since the head of a request began, or more."""
    _unfinished = 0
    """The size of what was read and led to nothing yet: a part of a head, or of what surrounds the chunks of a body."""
    _backlog = b""
    """What was read and not parsed."""
    _then: Callable[[], None] | None = None
    """What to do when all requests before are answered, instead of reading on."""
    _before: RequestResponseCycle | None = None
    """The cycle before the last one."""

    @abstractmethod
    def _wait(self, seconds: float) -> None:
        """Wait so long for the client."""

    @abstractmethod
    def _stop_waiting(self) -> None:
        """Wait for the client no longer."""

    @property
    def _is_idle(self) -> bool:
        last: Any = self.cycle  # None at first, which uvicorn does not declare
        return last is None or bool(last.response_complete)

    def data_received(self, data: bytes) -> None:
        """Parse incoming data, or keep it until the requests before are answered."""
        if self.transport.is_closing():
            return
        if self.pipeline or self._then:
            self._backlog += data
            self.flow.pause_reading()
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self.pipeline:
                self._backlog = data[at:]
                self.flow.pause_reading()
                return
            piece = data[at : at + PIECE_BYTES]
            at += PIECE_BYTES
            self._unfinished += len(piece)
            if self._in_head:
                self._read += piece
            else:
                self._read = bytearray(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                data, at = self._upgrade(piece[upgrade.args[0] :] + data[at:]), 0
            except httptools.HttpParserError as error:
                is_ours = isinstance(error, httptools.HttpParserCallbackError)
                if is_ours and not isinstance(error.__context__, MalformedHead):
                    raise
                self._refuse(HTTPStatus.BAD_REQUEST, "Invalid HTTP request received.\n")
                return
            if self._unfinished > request_head.MAX_HEAD_BYTES:
                self._refuse(self._excess(), "The request line, the headers or the trailers are too long.\n")
                return

    def _excess(self) -> HTTPStatus:
        """Return the status for the part of a request that is too long."""
        if not self._in_head:
            return HTTPStatus.BAD_REQUEST
        is_target = len(self.url) > request_head.MAX_HEAD_BYTES // 2
        return HTTPStatus.REQUEST_URI_TOO_LONG if is_target else HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    # Called by the parser

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head = True
        if self.cycle is not None:  # the first request has the time since the start of the connection
            self._wait(HEAD_TIMEOUT_S)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. What follows a body in chunks is none: uvicorn would add it to them."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Check the head of a request, and serve it unless it opens a WebSocket. Raises `MalformedHead`."""
        self._in_head, self._unfinished = False, 0
        self._stop_waiting()
        method, version = self.parser.get_method(), self.parser.get_http_version()
        request_head.check(self._read, method, self.url, version, self.headers)
        raw_path, _, query = self.url.partition(b"?")
        path = raw_path.decode("ascii")
        scope: Any = self.scope
        scope["method"], scope["http_version"] = method.decode("ascii"), version
        # The whole target, also if it is a URL: its host counts, which uvicorn would leave out.
        scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode("ascii") + raw_path
        scope["query_string"] = query
        if not self.parser.should_upgrade():
            self._serve(keep_alive=version == "1.1" and self.parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._in_body, self._unfinished = False, 0
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        if self._is_idle:
            self._wait(self.timeout_keep_alive)

    # Answering

    def _serve(self, *, keep_alive: bool) -> None:
        """Have the application answer, now or after the requests before."""
        self._in_body, self._before, is_idle = True, self.cycle, self._is_idle
        kind = RequestResponseCycle if self.scope["http_version"] == "1.1" else OldCycle
        self.cycle = kind(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        if is_idle:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._then:
            then, self._then = self._then, None
            then()
            return
        elif self._in_body:
            self._wait(UPLOAD_TIMEOUT_S)
        elif not self._in_head:
            self._wait(self.timeout_keep_alive)
        if not self.pipeline:
            self.flow.resume_reading()
            backlog, self._backlog = self._backlog, b""
            self._parse(backlog)

    def _when_idle(self, action: Callable[[], None]) -> None:
        """Do something after the responses to the requests before, and parse nothing until then."""
        if self._is_idle:
            action()
        else:
            self._then = action
            self.flow.pause_reading()

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Refuse a request, and with it the connection."""
        if self._in_body:
            if not self.pipeline:  # the application is already answering it
                self.cycle.disconnected = True
                self.cycle.message_event.set()
                if self.cycle.response_started:
                    self.transport.close()
                else:
                    self._end(status, text)
                return
            _, self.cycle = self.pipeline.popleft(), self._before  # type: ignore[assignment] # there is one before
        self._when_idle(lambda: self._end(status, text))

    def _end(self, status: HTTPStatus, text: str, *headers: tuple[bytes, bytes]) -> None:
        """Send a last response, and close the connection."""
        self.transport.write(last_response(status, text, [*self.server_state.default_headers, *headers]))
        self.transport.close()

    # WebSockets

    def _upgrade(self, rest: bytes) -> bytes:
        """Become a WebSocket, or ignore the wish for another protocol. Return what is to be parsed."""
        version = self.scope["http_version"]
        if version == "1.1" and self._should_upgrade():
            self._when_idle(lambda: self._become_websocket(rest))
            return b""
        # The parser takes all that follows for the other protocol, also a body.
        head = request_head.without_upgrade(self.parser.get_method(), self.url, version, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._in_head = False
        return head + rest

    def _become_websocket(self, rest: bytes) -> None:
        self.flow.resume_reading()
        self.handle_websocket_upgrade()
        protocol: Any = self.transport.get_protocol()
        if self.flow.write_paused:
            protocol.pause_writing()
        if rest := rest + self._backlog:
            protocol.data_received(rest)
