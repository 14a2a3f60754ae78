"""Engines: the connection pools of a database, for writes, for reads, and for tools."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from db.connection.fetching import Fetcher


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Engines:
    """The engines of one database."""

    writes: AsyncEngine
    reads: AsyncEngine
    tools: AsyncEngine
    """For work without a statement timeout."""
    fetcher: Fetcher
    """Runs reads on the connections of the engine for reads."""
    invalidate_connections: Callable[[], None] = _nothing
    """Invalidates every pooled connection."""
    closed: Callable[[], None] = _nothing
    """Called after the last connection is closed."""
