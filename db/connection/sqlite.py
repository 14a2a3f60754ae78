"""SQLite: one connection for writes, and a pool for reads."""

import asyncio
import contextlib
import math
import sqlite3
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from db.connection import deadlines, errors
from db.connection.engines import Engines
from db.connection.fetching import Fetcher, Rows
from db.connection.sqlite_file import SQLiteFile
from db.reading import unreadable

_BUSY_TIMEOUT_MS = 20
"""SQLite's busy timeout: a caller waits for a lock in intervals of this length.

SQLite polls for a lock ever less often, in the end ten times a second. Beside processes that write continuously it
would rarely find the lock free. So we wait in short intervals, one after the other.
"""

_WRITE_PRAGMAS = (
    f"busy_timeout={_BUSY_TIMEOUT_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "trusted_schema=OFF",
)
_READ_PRAGMAS = ("query_only=ON", "trusted_schema=OFF")


def engines(url: URL, options: dict[str, Any], lock_timeout: float, *, read_only: bool = False) -> Engines:
    """Create the engines for a file, and its folder. All writes of a process share one connection."""
    file = SQLiteFile(Path(str(url.database)), read_only=read_only)
    # isolation_level=None: the driver begins no transactions; we begin them ourselves.
    connect_args = {"isolation_level": None, "timeout": lock_timeout}
    to_write, to_read = (
        {**connect_args, "async_creator_fn": partial(_open, file, pragmas, lock_timeout)}
        for pragmas in (_WRITE_PRAGMAS, _READ_PRAGMAS)
    )
    writes = create_async_engine(url, connect_args=to_write, **{**options, "pool_size": 1})
    reads = create_async_engine(url, connect_args=to_read, **options)
    event.listen(writes.sync_engine, "begin", _begin_within(lock_timeout))
    for engine in (writes, reads):
        _watch(engine.sync_engine, file)
    return Engines(writes, reads, writes, Fetcher(reads, _Driver(file)), closed=file.closed)


class _Driver:
    """Fetches through aiosqlite."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file

    def fetch(self, connection: Any, text: str, arguments: tuple[Any, ...]) -> Awaitable[Rows]:
        """Return the rows of a statement, after one turn of the connection's thread."""
        rows: Awaitable[Rows] = connection.fetch(text, arguments)
        return rows

    def is_usable(self, entry: ConnectionPoolEntry) -> bool:
        """Whether the path still names the file that the connection has opened."""
        try:
            return bool(entry.info[SQLiteFile] == self._file.identity)
        except OSError:
            return False

    def failed(self, _connection: Any, _error: Exception) -> bool:
        """Return false: an error of SQLite quotes no values, and leaves its connection as it was."""
        return False


async def _open(
    file: SQLiteFile, pragmas: tuple[str, ...], lock_timeout: float, *_path: Any, **options: Any
) -> aiosqlite.Connection:
    """Open the file and set up the connection. Raises `FileNotFoundError`, `UnusableFile`."""
    connection = file.connect(**options)
    connection._thread.daemon = True  # as SQLAlchemy does
    try:
        await connection
        connection.text_factory = unreadable.text
        for pragma in pragmas:
            await _set(connection, pragma, lock_timeout)
        # This read only has to open the write-ahead log. An error recurs for the user of the connection.
        with contextlib.suppress(sqlite3.Error):
            await connection.execute_fetchall("PRAGMA schema_version")
        file.connected(connection)
    except BaseException:
        file.disconnected(connection)
        await asyncio.shield(_end(connection))
        raise
    return connection


def _watch(pool: Engine, file: SQLiteFile) -> None:
    """Replace a connection at checkout if the path now names another file."""

    def opened(connection: Any, entry: ConnectionPoolEntry) -> None:
        entry.info[SQLiteFile] = file.opened(connection.driver_connection)

    def check(_connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        if entry.info[SQLiteFile] != file.identity:
            raise DisconnectionError("The file was replaced")

    def closing(connection: Any, _entry: ConnectionPoolEntry) -> None:
        file.disconnected(connection.driver_connection)

    event.listen(pool, "connect", opened)
    event.listen(pool, "checkout", check)
    event.listen(pool, "close", closing)


def _begin_within(lock_timeout: float) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        give_up_at = min(time.monotonic() + lock_timeout, deadlines.current() or math.inf)
        while True:
            try:
                # A deferred transaction would fail at once when it upgrades from read to write beside another writer.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if not errors.is_locked(error) or time.monotonic() >= give_up_at:
                    raise
            else:
                return

    return begin


async def _set(connection: aiosqlite.Connection, pragma: str, lock_timeout: float) -> None:
    give_up_at = time.monotonic() + lock_timeout
    while True:
        try:
            await connection.execute_fetchall(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            # If another connection is creating the file or switching it to WAL, SQLite fails at once without waiting.
            if not errors.is_locked(error) or time.monotonic() >= give_up_at:
                raise
            await asyncio.sleep(_BUSY_TIMEOUT_MS / 1_000)
        else:
            return


async def _end(connection: aiosqlite.Connection) -> None:
    await connection.close()
    # The thread still calls the event loop once, and would write an error to standard error if the loop were closed.
    await asyncio.to_thread(connection._thread.join)
