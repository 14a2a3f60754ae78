"""A connection to a client that takes nothing."""

import asyncio
from typing import Any


class Wire(asyncio.Transport):
    """A connection to a client that takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = self.aborted = False
        self.reading = True

    def write(self, data: Any) -> None:
        """Keep it."""
        self.written += data

    def get_write_buffer_size(self) -> int:
        """Tell how much was not taken: all of it."""
        return len(self.written)

    def is_closing(self) -> bool:
        """Tell whether it was closed."""
        return self.closed

    def close(self) -> None:
        """Wait until all is taken."""
        self.closed = True

    def abort(self) -> None:
        """Do not wait."""
        self.closed = self.aborted = True

    def is_reading(self) -> bool:
        """Tell whether the protocol wants to be given what the client sends."""
        return self.reading

    def pause_reading(self) -> None:
        """Note it; it is the test that gives what is read."""
        self.reading = False

    def resume_reading(self) -> None:
        """Note it."""
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Do nothing: the test knows."""
