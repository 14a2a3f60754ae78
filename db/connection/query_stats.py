"""Tallies: what was sent to the database on whose behalf, and what it took."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass
class QueryStats:
    """The statements of one piece of work, those of its own tasks included."""

    statements: int = 0
    retries: int = 0
    """How often something was tried again that had lost against somebody else."""
    unavailable: int = 0
    """How often the database did not decide in time."""


_current: ContextVar[QueryStats | None] = ContextVar("tally", default=None)


@contextmanager
def collect_query_stats() -> Iterator[QueryStats]:
    """Count the statements that are sent within the block, also by tasks that it starts."""
    tally = QueryStats()
    token = _current.set(tally)
    try:
        yield tally
    finally:
        _current.reset(token)


def current() -> QueryStats | None:
    """Return the tally of whoever is at work."""
    return _current.get()


def count(*_event: Any) -> None:
    """Count a statement: a listener for SQLAlchemy's `before_cursor_execute`."""
    if tally := _current.get():
        tally.statements += 1
