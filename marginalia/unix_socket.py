"""Unix sockets: a file that the server listens on, for a proxy on the same machine."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from marginalia.server import BACKLOG, CannotListen

UMASK = 0o117
"""Leaves read and write access for the owner and the group, 0660: give the proxy the group of the server."""


def listen(path: Path) -> socket.socket:
    """Return a listening socket at a path. The file of a server that has gone is replaced.

    Raises `CannotListen`, also if another server listens there, or the path is not a socket.
    """
    try:
        _remove_stale(path)
        return _bind(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise CannotListen(f"Cannot listen on {path}: {error}") from error


@contextmanager
def removed_at_the_end(path: Path) -> Iterator[None]:
    """Remove the file after the block, unless another server has replaced it."""
    ours = _identity(path)
    try:
        yield
    finally:
        if ours is not None and _identity(path) == ours:
            with suppress(OSError):
                path.unlink()


def _bind(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(UMASK)  # not chmod: the file would be open to all for a moment
    try:
        listening.bind(str(path))
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    finally:
        os.umask(before)
    listening.set_inheritable(True)
    return listening


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"Cannot listen on {path}: it exists, and is not a socket.")
    with socket.socket(socket.AF_UNIX) as caller:
        caller.setblocking(False)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # its queue is full: it lives
    raise CannotListen(f"Cannot listen on {path}: another server does.")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
