"""Engines: the pools of connections to a database, for writing, for reading, and for tools."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Engines:
    """The engines of one database."""

    writes: AsyncEngine
    reads: AsyncEngine
    tools: AsyncEngine
    """For what takes as long as it takes."""
    invalidate_connections: Callable[[], None] = _nothing
    """Has the connections that there are replaced as they are used next."""
    closed: Callable[[], None] = _nothing
    """Is called after the last connection was closed."""
