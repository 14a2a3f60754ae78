"""Uploads: the bodies of requests and the messages on WebSockets while they arrive, and the memory they may take."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from engine.complexity import Limits
from marginalia.transports.request import MOST_BESIDE_TEXTS
from services.limits import MARKDOWN_LENGTH

ESCAPED_BYTES = 12
"""How many bytes JSON takes for a character at most: two escapes, as `\\ud83d\\ude00`, where ASCII is all there is."""

LARGEST_UPLOAD = ESCAPED_BYTES * (MARKDOWN_LENGTH + Limits.characters) + 2 * MOST_BESIDE_TEXTS
"""How many bytes a request may need: the longest text, in the longest operation, however both are escaped."""

SMALL_UPLOAD = 200_000
"""How many bytes of an upload are not counted: they are less than what else a connection takes."""

UPLOADS_AT_ONCE = 2
"""How many uploads of the largest size are held at once."""

PIECE_TIMEOUT_S = 5.0
"""How long the next piece of a body may take: less than the server waits for requests when it ends."""

UPLOAD_TIMEOUT_S = 60.0
"""How long the whole of an upload may take, however it is cut in pieces."""


class UploadTooLarge(Exception):
    """One upload has more bytes than one may have."""


class UploadsExhausted(Exception):
    """All uploads together take as much memory as they may; the same may succeed a moment later."""


class UploadTimeout(Exception):
    """The rest of an upload did not come in time."""


class UploadBudget:
    """How many bytes the uploads of a process may hold at once, until they are read."""

    def __init__(self, most: int) -> None:
        """Begin with none; `most` is in bytes."""
        self.held = 0
        self._most = most

    def change(self, before: int, after: int) -> int:
        """Count an upload that had so many bytes, and has others now; return these. Raises `UploadsExhausted`."""
        counted = max(after - SMALL_UPLOAD, 0) - max(before - SMALL_UPLOAD, 0)
        if counted > 0 and self.held + counted > self._most:
            raise UploadsExhausted
        self.held += counted
        return after


class BodyReader:
    """Reads the bodies of requests, each within its size and its time, and all within the memory they may take."""

    def __init__(self, budget: UploadBudget, most: int) -> None:
        """Take no body with more than `most` bytes."""
        self._budget = budget
        self._most = most

    async def read(self, receive: Receive) -> bytearray:
        """Return a whole body. Raises `UploadTooLarge`, `UploadsExhausted`, `UploadTimeout` and `ClientDisconnect`."""
        body, held = bytearray(), 0
        try:
            async with asyncio.timeout(UPLOAD_TIMEOUT_S):
                while True:
                    async with asyncio.timeout(PIECE_TIMEOUT_S):
                        message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    piece = message.get("body", b"")
                    if len(body) + len(piece) > self._most:
                        raise UploadTooLarge
                    held = self._budget.change(held, len(body) + len(piece))
                    body += piece
                    if not message.get("more_body", False):
                        # Its caller decodes it before anything else happens, so it is not counted any longer.
                        return body
        except TimeoutError:
            raise UploadTimeout from None
        finally:
            self._budget.change(held, 0)
