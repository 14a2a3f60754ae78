"""SQLite connections whose statements cost one turn of the connection's thread each.

aiosqlite runs every call in the thread of its connection. SQLAlchemy makes four calls for a statement: create a cursor,
execute, fetch and close. Here one call does all four, and a rollback outside a transaction, as after each read, none.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Self, TypeVar

import aiosqlite

T = TypeVar("T")


def connection(connect: Callable[[], sqlite3.Connection]) -> aiosqlite.Connection:
    """Return a connection that is yet to be awaited; `connect` opens it in its thread."""
    return _Connection(connect, iter_chunk_size=64)


class _Connection(aiosqlite.Connection):
    # Each is counted by one thread only: a cancelled caller leaves a statement under way.
    _begun = _ended = 0

    def cursor(self) -> Any:
        """Return a cursor without asking the thread for one."""
        return _Cursor(self)

    async def rollback(self) -> None:
        """Roll back the current transaction, or that of a statement still under way, if there is one."""
        if self.in_transaction or self._begun != self._ended:
            await super().rollback()

    async def in_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work in the thread of the connection."""

        def run() -> T:
            try:
                return work(self._conn)
            finally:
                self._ended += 1

        self._begun += 1
        done: T = await self._execute(run)  # type: ignore[no-untyped-call]
        return done

    def fetch(self, statement: str, parameters: tuple[Any, ...]) -> Awaitable[Sequence[Any]]:
        """Run a statement and return its rows."""
        return self.in_thread(lambda raw: raw.execute(statement, parameters).fetchall())


class _Cursor:
    """The result of one statement, read whole, with the attributes of a DBAPI cursor."""

    arraysize = 1

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    def execute(self, statement: str, parameters: Iterable[Any] = ()) -> Awaitable[None]:
        """Run a statement and read its rows."""
        return self._connection.in_thread(lambda raw: self._run(raw.execute, statement, parameters))

    def executemany(self, statement: str, parameters: Iterable[Iterable[Any]]) -> Awaitable[None]:
        """Run a statement for each set of parameters."""
        return self._connection.in_thread(lambda raw: self._run(raw.executemany, statement, parameters))

    def _run(self, execute: Callable[..., Any], statement: str, parameters: Any) -> None:
        cursor = execute(statement, parameters)
        try:
            self.description, self.lastrowid = cursor.description, cursor.lastrowid
            if self.description:
                self._rows = cursor.fetchall()
            self.rowcount = cursor.rowcount  # of a statement that returns rows, known once they are read
        finally:
            cursor.close()

    async def fetchall(self) -> Sequence[Any]:
        """Return the rows."""
        return self._rows

    async def close(self) -> None:
        """Do nothing: the cursor was closed when the rows were read."""
