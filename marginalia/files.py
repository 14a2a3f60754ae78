"""Input files named by a person: read with limits on size and time."""

import os
import select
import stat
import time
from pathlib import Path

PIPE_TIMEOUT_S = 5.0
"""The timeout for the next bytes of a pipe."""

_PIECE = 1 << 20


class UnreadableFile(Exception):
    """The file cannot be read. The text is the reason, in one line, without the file's name."""


def read_bytes(path: Path, *, most: int) -> bytes:
    """Read a file, or a pipe to its end. Raises `UnreadableFile`, also if it has more than `most` bytes.

    Without these limits, a pipe without a writer or a device such as /dev/zero would be read for ever.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UnreadableFile(_reason(error)) from None
    try:
        mode = os.fstat(opened).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
            raise UnreadableFile("is a directory" if stat.S_ISDIR(mode) else "is neither a file nor a pipe")
        return _read(opened, most, is_pipe=stat.S_ISFIFO(mode))
    except OSError as error:
        raise UnreadableFile(_reason(error)) from None
    finally:
        os.close(opened)


def read_text(path: Path, *, most: int) -> str:
    """Read a UTF-8 file, with or without a byte order mark, whatever the locale. Raises `UnreadableFile`."""
    data = read_bytes(path, most=most)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"is not UTF-8 (byte {error.start + 1:,} is not): please save it as UTF-8") from None


def _read(opened: int, most: int, *, is_pipe: bool) -> bytes:
    pieces: list[bytes] = []
    left = most + 1
    while left > 0:
        if is_pipe:
            _wait(opened)
        piece = os.read(opened, min(left, _PIECE))
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        left -= len(piece)
    raise UnreadableFile(f"is larger than {most:,} bytes")


def _wait(opened: int) -> None:
    ready = select.poll()
    ready.register(opened, select.POLLIN)
    until = time.monotonic() + PIPE_TIMEOUT_S
    while not ready.poll(max(0, until - time.monotonic()) * 1000):
        if time.monotonic() >= until:
            raise UnreadableFile(f"is a pipe, and nothing came out of it for {PIPE_TIMEOUT_S:g} seconds")


def _reason(error: Exception) -> str:
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"
