"""Query statistics: statements, retries and unavailable errors, counted per operation."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass
class QueryStats:
    """The statistics of one operation, including the tasks that it starts."""

    statements: int = 0
    retries: int = 0
    """The number of retries after a lost conflict."""
    unavailable: int = 0
    """How often the database was temporarily unavailable."""


_current: ContextVar[QueryStats | None] = ContextVar("query_stats", default=None)


@contextmanager
def collect_query_stats() -> Iterator[QueryStats]:
    """Count the statements sent within the block, also by tasks that it starts."""
    stats = QueryStats()
    token = _current.set(stats)
    try:
        yield stats
    finally:
        _current.reset(token)


def current() -> QueryStats | None:
    """Return the statistics of the current operation, if any are collected."""
    return _current.get()


def count(*_event: Any) -> None:
    """Count a statement; also listens to SQLAlchemy's `before_cursor_execute`."""
    if stats := _current.get():
        stats.statements += 1
