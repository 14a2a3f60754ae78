"""Sockets of the fan-out: subscribers over WebSockets, and callers over HTTP, without a client library."""

import base64
import json
import os
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from benchmarks.load import Exchange, Target, WrongAnswer

_TEXT, _PING, _PONG = 0x81, 0x89, b"\x8a"


def _connect(address: str) -> tuple[socket.socket, str]:
    url = urlsplit(address)
    connected = socket.create_connection((url.hostname, url.port), timeout=20)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected, url.netloc


class Caller:
    """A persistent HTTP connection."""

    def __init__(self, address: str) -> None:
        self.socket, _ = _connect(address)
        url = urlsplit(address)
        self._target = Target("", str(url.hostname), int(url.port or 80), [])

    def send(self, body: str) -> None:
        """Send a request."""
        self.socket.sendall(self._target.request(Exchange(body, "")))

    def receive(self) -> None:
        """Read what has arrived of the answer. Raises `WrongAnswer` if it is an error."""
        received = self.socket.recv(65_536)
        if not received or b'"errors"' in received or b'"code"' in received:
            raise WrongAnswer(f"A chat was not opened: {received!r}")


def upgrade(netloc: str) -> bytes:
    """Return the request that opens a WebSocket for subscriptions."""
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        "GET /graphql HTTP/1.1",
        f"Host: {netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: graphql-transport-ws",
        "\r\n",
    )
    return "\r\n".join(head).encode()


class Subscriber:
    """A WebSocket with one subscription: made, then initialized, then subscribed, many of them in step."""

    def __init__(self, address: str) -> None:
        self.socket, netloc = _connect(address)
        self._received = b""
        self.socket.sendall(upgrade(netloc))

    def initialize(self) -> None:
        """Wait for the answer of the handshake, and initialize the connection."""
        while b"\r\n\r\n" not in self._received:
            received = self.socket.recv(4096)
            self._received += received
            if not received or not self._received.startswith(b"HTTP/1.1 101 "[: len(self._received)]):
                raise WrongAnswer(f"The handshake was refused: {self._received!r}")
        self._received = self._received.partition(b"\r\n\r\n")[2]
        self._send({"type": "connection_init"})

    def subscribe(self, payload: object) -> None:
        """Wait for the acknowledgement, and start the subscription."""
        while not any(b"connection_ack" in frame for frame in self._frames()):
            pass
        self._send({"type": "subscribe", "id": "1", "payload": payload})

    def receive(self) -> Sequence[bytes]:
        """Return the events that have arrived, and answer the pings. Raises `WrongAnswer` if the subscription ends."""
        messages = []
        for frame in self._frames():
            if b'"next"' in frame[:60] or b'"next"' in frame[-60:]:
                messages.append(frame)
            elif b'"ping"' in frame:
                self._send({"type": "pong"})
            else:
                raise WrongAnswer(f"A subscriber received {frame!r}")
        return messages

    def _send(self, message: object) -> None:
        # Masked with zeros, which leave it unchanged.
        content = json.dumps(message).encode()
        size = len(content)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self.socket.sendall(b"\x81" + length + b"\0\0\0\0" + content)

    def _frames(self) -> Sequence[bytes]:
        """Read what has arrived, and return the text messages that are complete."""
        received = self.socket.recv(65_536)
        if not received:
            raise WrongAnswer("A server closed the socket of a subscriber")
        rest = self._received + received
        frames = []
        while len(rest) >= 4:
            kind, length, start = rest[0], rest[1], 2
            if length == 126:
                length, start = int.from_bytes(rest[2:4], "big"), 4
            if len(rest) < start + length:
                break
            content, rest = rest[start : start + length], rest[start + length :]
            if kind == _TEXT:
                frames.append(content)
            elif kind == _PING:
                self.socket.sendall(_PONG + bytes([0x80 | len(content)]) + b"\0\0\0\0" + content)
            else:
                raise WrongAnswer(f"A server sent a frame of kind {kind}: {content!r}")
        self._received = rest
        return frames
