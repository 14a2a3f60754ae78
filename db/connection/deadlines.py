"""Deadlines: until when a command waits for the database, counted from its first moment."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

_current: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Have whatever is waited for within the block, also by tasks that it starts, waited for until then."""
    token = begin(seconds)
    try:
        yield
    finally:
        end(token)


def begin(seconds: float) -> Token[float | None]:
    """Begin a block as `deadline` does, for those whose time it would take; `end` has to end it."""
    return _current.set(asyncio.get_running_loop().time() + seconds)


def end(token: Token[float | None]) -> None:
    """End a block that was begun."""
    _current.reset(token)


def current() -> float | None:
    """Return until when to wait, as `time.monotonic` and the event loop count; None: nobody has said."""
    return _current.get()


def has_passed() -> bool:
    """Tell whether nobody should wait any more."""
    at = _current.get()
    return at is not None and asyncio.get_running_loop().time() >= at
