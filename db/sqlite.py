"""SQLite: one connection that writes, others that read, and the file that all of them have opened."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from db import faults
from db.engines import Engines

_STRETCH_MS = 20
"""How many milliseconds whoever waits for a lock waits in one stretch.

SQLite asks for it ever less often, at last ten times a second, and beside processes that write all the time would
hardly ever find it free. So we wait in short stretches, one after the other.
"""

_WRITE_PRAGMAS = (
    f"busy_timeout={_STRETCH_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "trusted_schema=OFF",
)
_READ_PRAGMAS = ("query_only=ON", "trusted_schema=OFF")


def engines(url: URL, options: dict[str, Any], lock_timeout: float) -> Engines:
    """Make the engines for a file, and the folder that it is in. All that a process writes goes one way."""
    file = _File(Path(str(url.database)))
    # isolation_level=None: the driver begins nothing by itself, we say when and how.
    connect_args = {"isolation_level": None, "timeout": lock_timeout}
    to_write, to_read = (
        {**connect_args, "async_creator_fn": partial(file.open, pragmas, lock_timeout)}
        for pragmas in (_WRITE_PRAGMAS, _READ_PRAGMAS)
    )
    writes = create_async_engine(url, connect_args=to_write, **{**options, "pool_size": 1})
    reads = create_async_engine(url, connect_args=to_read, **options)
    event.listen(writes.sync_engine, "begin", _begin_within(lock_timeout))
    for engine in (writes, reads):
        event.listen(engine.sync_engine, "connect", file.opened)
        event.listen(engine.sync_engine, "checkout", file.check)
    return Engines(writes, reads, writes)


class _File:
    """The file of an SQLite database. One that was taken away under us, or replaced, is not written to any more.

    A connection keeps the file that it has opened, wherever that has gone: what it stored there would be lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._was_there = False
        path.parent.mkdir(parents=True, exist_ok=True)

    async def open(
        self, pragmas: tuple[str, ...], lock_timeout: float, *args: Any, **options: Any
    ) -> aiosqlite.Connection:
        """Open it; it is made where there is none, but not a second time. Raises `FileNotFoundError`."""
        if self._was_there:
            self._identity()
        connection = aiosqlite.connect(*args, **options)
        connection._thread.daemon = True  # as SQLAlchemy does
        try:
            await connection
            for pragma in pragmas:
                await _set(connection, pragma, lock_timeout)
        except BaseException:
            await asyncio.shield(_end(connection))
            raise
        return connection

    def opened(self, _connection: Any, entry: ConnectionPoolEntry) -> None:
        """Note which file a new connection has opened."""
        entry.info[_File] = self._identity()
        self._was_there = True

    def check(self, _connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        """Have a connection to another file replaced before it is used. Raises `FileNotFoundError`."""
        if entry.info[_File] != self._identity():
            raise DisconnectionError("The file is another one by now")

    def _identity(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_dev, found.st_ino


def _begin_within(lock_timeout: float) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        patience = time.monotonic() + lock_timeout
        while True:
            try:
                # A deferred transaction would fail at once when it turns from reading to writing beside another writer.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if not faults.is_locked(error) or time.monotonic() >= patience:
                    raise
            else:
                return

    return begin


async def _set(connection: aiosqlite.Connection, pragma: str, lock_timeout: float) -> None:
    patience = time.monotonic() + lock_timeout
    while True:
        try:
            await connection.execute_fetchall(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            # A new file that somebody else is about to make, or to turn to WAL, is refused at once, not waited for.
            if not faults.is_locked(error) or time.monotonic() >= patience:
                raise
            await asyncio.sleep(_STRETCH_MS / 1_000)
        else:
            return


async def _end(connection: aiosqlite.Connection) -> None:
    await connection.close()
    # Its thread has one more thing to tell the loop, and complains on standard error if the loop is closed.
    await asyncio.to_thread(connection._thread.join)
