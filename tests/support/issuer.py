"""An OIDC issuer: a real HTTP server that publishes keys, and can be told to misbehave."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from joserfc.jwk import Key

from tests.support.tokens import sign

AUDIENCE = "our-client"


class Issuer:
    """An issuer with keys, each of which has a `kid`."""

    def __init__(self, *keys: Key) -> None:
        self.url = ""
        self.keys: Sequence[Key] = keys
        self.asked: Counter[str] = Counter()
        """How often each path was asked for."""
        self.override: dict[str, bytes] = {}
        """Whole responses that paths get instead."""
        self.waits = asyncio.Event()
        """No answer is given until this is set."""
        self.waits.set()

    def sign(self, key: Key, /, **claims: Any) -> str:
        """Return a token of this issuer."""
        return sign(key, {"kid": key.kid}, **{"iss": self.url, "aud": AUDIENCE, "picture": None, **claims})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        self.asked[path] += 1
        await self.waits.wait()
        writer.write(self.override.get(path) or response(self._document(path)))
        writer.close()

    def _document(self, path: str) -> object:
        if path.endswith("/openid-configuration"):
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return {"keys": [key.as_dict(private=False) for key in self.keys]}


def response(document: object, status: str = "200 OK", more: str = "") -> bytes:
    """Return a whole HTTP response."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    return head.encode() + body


@asynccontextmanager
async def serving(issuer: Issuer, port: int = 0) -> AsyncIterator[Issuer]:
    """Serve an issuer on loopback."""
    server = await asyncio.start_server(issuer.serve, "127.0.0.1", port)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        issuer.waits.set()
        server.close()
