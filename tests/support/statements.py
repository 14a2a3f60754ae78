"""Statements: told before each is sent, whether SQLAlchemy sends it or a fetch does."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.util import await_only

from db.connection.database import Database

Observer = Callable[[Any, str, Any], Awaitable[str | None]]
"""Gets the driver's connection, a text and its parameters. It may wait, and return another text to send instead."""


@contextmanager
def before_statements(database: Database, observer: Observer, *, reads_only: bool = False) -> Iterator[None]:
    """Call an observer before each statement within the block, or before those of the pool for reads only."""

    async def fetched(connection: Any, text: str, arguments: tuple[Any, ...]) -> str:
        return await observer(connection, text, arguments) or text

    def executed(
        connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, _many: bool
    ) -> tuple[str, Any]:
        # Events are told in the greenlet in which SQLAlchemy waits for its driver.
        changed = await_only(observer(connection.connection.driver_connection, text, parameters))
        return changed or text, parameters

    engines = [engine.sync_engine for engine in database.engines[1 if reads_only else 0 :]]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", executed, retval=True)
    database.before_fetch.append(fetched)
    try:
        yield
    finally:
        database.before_fetch.remove(fetched)
        for engine in engines:
            event.remove(engine, "before_cursor_execute", executed)
