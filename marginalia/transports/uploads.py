"""Uploads: request bodies and WebSocket messages while they arrive, with limits on memory and time."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from engine.complexity import Limits
from marginalia.transports.request import MOST_BESIDE_TEXTS
from services.limits import MARKDOWN_LENGTH

ESCAPED_BYTES = 12
"""The maximum number of bytes for a character in ASCII JSON: two escapes, such as `\\ud83d\\ude00`."""

LARGEST_UPLOAD = ESCAPED_BYTES * (MARKDOWN_LENGTH + Limits.characters) + 2 * MOST_BESIDE_TEXTS
"""The size of the largest legitimate request: the longest text in the longest operation, both escaped."""

SMALL_UPLOAD = 200_000
"""The bytes of an upload that are not counted: a connection takes more memory than that anyway."""

UPLOADS_AT_ONCE = 2
"""The number of largest uploads that fit into memory at once."""

PIECE_TIMEOUT_S = 5.0
"""The timeout for the next piece of a body; shorter than the graceful shutdown timeout."""

UPLOAD_TIMEOUT_S = 60.0
"""The timeout for a whole upload, whatever its pieces."""


class UploadTooLarge(Exception):
    """An upload exceeds the maximum size."""


class UploadsExhausted(Exception):
    """The uploads together exceed the memory budget. A retry may succeed."""


class UploadTimeout(Exception):
    """The rest of an upload did not arrive in time."""


class UploadBudget:
    """The memory budget of a process for uploads that are not decoded yet."""

    def __init__(self, most: int) -> None:
        """`most` is the budget in bytes."""
        self.held = 0
        self._most = most

    def change(self, before: int, after: int) -> int:
        """Change the size of an upload from `before` to `after`, and return `after`. Raises `UploadsExhausted`."""
        counted = max(after - SMALL_UPLOAD, 0) - max(before - SMALL_UPLOAD, 0)
        if counted > 0 and self.held + counted > self._most:
            raise UploadsExhausted
        self.held += counted
        return after


class BodyReader:
    """Reads request bodies, each within its size and time limits, and all within the memory budget."""

    def __init__(self, budget: UploadBudget, most: int) -> None:
        """Accept bodies of up to `most` bytes."""
        self._budget = budget
        self._most = most

    async def read(self, receive: Receive) -> bytearray:
        """Return a whole body. Raises `UploadTooLarge`, `UploadsExhausted`, `UploadTimeout` and `ClientDisconnect`."""
        body, held = bytearray(), 0
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + UPLOAD_TIMEOUT_S
        try:
            async with asyncio.timeout(PIECE_TIMEOUT_S) as timeout:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    piece = message.get("body", b"")
                    if len(body) + len(piece) > self._most:
                        raise UploadTooLarge
                    held = self._budget.change(held, len(body) + len(piece))
                    body += piece
                    if not message.get("more_body", False):
                        # The caller decodes it before any other task runs, so it no longer counts.
                        return body
                    timeout.reschedule(min(loop.time() + PIECE_TIMEOUT_S, give_up_at))
        except TimeoutError:
            raise UploadTimeout from None
        finally:
            self._budget.change(held, 0)
