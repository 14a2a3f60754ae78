"""Deadlines: how long a command may wait for the database, measured from its start."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

_current: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Set the deadline of every wait within the block, also in tasks that it starts."""
    token = begin(seconds)
    try:
        yield
    finally:
        end(token)


def begin(seconds: float) -> Token[float | None]:
    """Set a deadline as `deadline` does, without the cost of a context manager. `end` must reset it."""
    return _current.set(asyncio.get_running_loop().time() + seconds)


def end(token: Token[float | None]) -> None:
    """Reset the deadline that `begin` set."""
    _current.reset(token)


def current() -> float | None:
    """Return the deadline, in the time of `time.monotonic` and the event loop. None: there is no deadline."""
    return _current.get()


def has_passed() -> bool:
    """Whether the deadline has passed."""
    at = _current.get()
    return at is not None and asyncio.get_running_loop().time() >= at
