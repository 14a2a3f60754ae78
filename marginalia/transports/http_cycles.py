"""HTTP cycles: a request and its response, and responses that are sent without the application."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

Headers = Iterable[tuple[bytes, bytes]]


class OldCycle(RequestResponseCycle):
    """A cycle for HTTP/1.0, which has no chunks: the end of the connection ends a response without a length."""

    _is_unbounded = False

    async def send(self, message: Any) -> None:
        """Send a message of the application."""
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", [])}
            if b"content-length" not in names:
                self._is_unbounded, self.chunked_encoding = True, False
        elif self._is_unbounded and self.scope["method"] != "HEAD":
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


class BackPressure(FlowControl):
    """Flow control that does not read either while the client does not read: what it sends may ask for more."""

    _is_wanted = True

    def pause_reading(self) -> None:
        """Stop reading."""
        self._is_wanted = False
        super().pause_reading()

    def resume_reading(self) -> None:
        """Read again, or do so once the client reads."""
        self._is_wanted = True
        if not self.write_paused:
            super().resume_reading()

    def pause_writing(self) -> None:
        """Stop writing, and reading with it."""
        super().pause_writing()
        super().pause_reading()

    def resume_writing(self) -> None:
        """Write again, and read again."""
        super().resume_writing()
        if self._is_wanted:
            super().resume_reading()


def last_response(status: HTTPStatus, text: str, headers: Headers = ()) -> bytes:
    """Return the last response on a connection, as it is written."""
    fields = [
        *headers,
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(text)),
        (b"connection", b"close"),
    ]
    lines = [b"HTTP/1.1 %d %b" % (status, status.phrase.encode()), *(b"%b: %b" % field for field in fields), b"", b""]
    return b"\r\n".join(lines) + text.encode()
