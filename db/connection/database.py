"""A database: where it is, its connections, and the two ways to use them, reading and writing."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import configure_mappers
from sqlalchemy.pool import QueuePool

from db.connection import deadlines, errors, postgresql, query_stats, retry, sqlite
from db.connection.errors import DatabaseUnavailable
from db.connection.retry import MAX_ATTEMPTS, RetrySchedule
from db.outcome import Outcome
from db.reading import unreadable

T = TypeVar("T")

_log = logging.getLogger("marginalia.database")

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}

_PARAMETERS = {"sqlite+aiosqlite": set[str](), "postgresql+asyncpg": {"host", "port", "ssl", "sslmode"}}
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class BadDatabaseUrl(ValueError):
    """The text does not name a database that we can use."""


def parse_url(plain: str) -> URL:
    """Return the URL with our driver in it, for a plain one such as `sqlite:///path` or `postgresql://user@host/db`.

    Raises `BadDatabaseUrl` with a sentence for the person who wrote it.
    """
    try:
        url = make_url(plain)
    except ValueError:
        raise BadDatabaseUrl("The port in the URL of the database is not a number.") from None
    except ArgumentError:
        raise BadDatabaseUrl(
            "A database is named by a URL such as sqlite:///path or postgresql://user@host/db."
        ) from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise BadDatabaseUrl(f"Only sqlite:// and postgresql:// databases are served, not {url.drivername}://.")
    check = _check_sqlite if driver.startswith("sqlite") else _check_postgresql
    check(url, plain)
    query = dict(url.query)
    if not all(port.isdecimal() and 0 < int(port) < 65_536 for port in _ports(url)):
        raise BadDatabaseUrl("The port in the URL of the database is not a number from 1 to 65535.")
    if unknown := query.keys() - _PARAMETERS[driver]:
        raise BadDatabaseUrl(f"The URL of the database has a parameter that is not understood: {min(unknown)}.")
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")  # the name that asyncpg gives it
    if query.get("ssl", "prefer") not in _SSL_MODES:
        raise BadDatabaseUrl(f"The sslmode of the database is one of {', '.join(_SSL_MODES)}.")
    return url.set(drivername=driver, query=query)


def _check_sqlite(url: URL, plain: str) -> None:
    if not url.database or url.database == ":memory:":
        # Reading and writing use different connections, and each would get an empty database of its own.
        raise BadDatabaseUrl("An SQLite database must be a file, for example sqlite:///var/marginalia.db.")
    if url.host or url.username or url.password or url.port:
        raise BadDatabaseUrl("An SQLite file has no host: write sqlite:///path, or sqlite:////path from the root.")
    if "?" in plain:
        # It would be dropped without a word, and another file be served.
        parameters = plain.partition("?")[2]
        raise BadDatabaseUrl(f"SQLite takes no parameters: {parameters!r}. A ? in the name of a file is written %3F.")
    if "\0" in url.database:
        raise BadDatabaseUrl("The name of an SQLite file cannot hold a NUL.")
    if "\ufffd" in url.database and "\ufffd" not in plain:
        raise BadDatabaseUrl("The name of an SQLite file has a % that does not stand for UTF-8; write it as %25.")


def _check_postgresql(url: URL, _plain: str) -> None:
    if not url.database:
        # PostgreSQL would take the database that is named like the user, which is seldom ours.
        raise BadDatabaseUrl("The URL of the database has no name at its end: postgresql://user@host/name.")
    if "\0" in f"{url.database}{url.username}{url.host}":
        raise BadDatabaseUrl("The URL of the database cannot hold a NUL.")


def _ports(url: URL) -> list[str]:
    given = url.query.get("port", ())
    written = [given] if isinstance(given, str) else list(given)
    return [*written, *([] if url.port is None else [str(url.port)])]


def is_missing(plain: str) -> bool:
    """Tell whether a URL names an SQLite file that is not there, and would be made. Raises `BadDatabaseUrl`."""
    url = parse_url(plain)
    return url.drivername.startswith("sqlite") and not os.path.exists(str(url.database))  # Path.exists can raise


def without_password(plain: str) -> str:
    """Return the URL of a database as it may be shown to people."""
    return make_url(plain).render_as_string(hide_password=True)


LAST_WORD = 1.0
"""How many seconds after the deadline the engine may take to say that a lock was not got in time."""


class _Turn:
    """The turn of a transaction: whether it has begun, or must not begin any more because nobody waits for it."""

    def __init__(self) -> None:
        self.has_begun = False
        self.is_over = False

    def begin(self) -> None:
        """Note that it begins. Raises `DatabaseUnavailable` where it must not."""
        if self.is_over or deadlines.has_passed():
            raise DatabaseUnavailable("The database could not begin in time")
        self.has_begun = True


class _RolledBack(Exception):
    """Ends a transaction whose work has returned an outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Database:
    """The connections of one process to one database.

    Reads go outside any transaction, each statement a snapshot of its own; writes go in short transactions.
    On SQLite all writes of the process share one connection, so that readers never wait and no two connections
    of a process write to the file at once.
    """

    def __init__(self, url: str, *, pool_size: int = 10, lock_timeout: float = 5.0, read_only: bool = False) -> None:
        """Make no connection yet; `read_only`: an SQLite file is read even where nothing can be written."""
        self.url = parse_url(url)
        # Usually the first query of the ORM does it; but anchors are put together without one.
        configure_mappers()
        options = {
            "pool_size": pool_size,
            "max_overflow": 0,
            "pool_timeout": lock_timeout,
            "hide_parameters": True,  # errors are logged, texts are not
            "json_deserializer": unreadable.parsed_json,
        }
        if self.url.drivername.startswith("sqlite"):
            self._made = sqlite.engines(self.url, options, lock_timeout, read_only=read_only)
        else:
            self._made = postgresql.engines(self.url, options, lock_timeout)
        self._writes, self._reads, self._tools = self._made.writes, self._made.reads, self._made.tools
        for engine in self.engines:
            event.listen(engine.sync_engine, "before_cursor_execute", query_stats.count)
        self.lock_timeout = lock_timeout
        self.refusals = 0
        """How many transactions could not be had for the moment: whoever wants to know whether writing works tries."""
        self._running: set[asyncio.Future[Any]] = set()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writes.dialect.name

    @property
    def engines(self) -> tuple[AsyncEngine, ...]:
        """The engines behind it, for tools that watch what they send."""
        return self._writes, self._reads

    @property
    def in_use(self) -> dict[str, int]:
        """How many connections are at work, for `reading` and for `writing`."""
        pools = {"reading": self._reads.pool, "writing": self._writes.pool}
        return {name: pool.checkedout() for name, pool in pools.items() if isinstance(pool, QueuePool)}

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Give a session for reading, outside any transaction. Raises `DatabaseUnavailable`."""
        with errors.translate_errors():
            async with AsyncSession(self._reads, expire_on_commit=False, autoflush=False) as session:
                yield session

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """Give a session in a transaction that leaving the block commits, and an exception rolls back."""
        async with AsyncSession(self._writes, expire_on_commit=False) as session, session.begin():
            yield session

    async def transact(self, work: Callable[[AsyncSession], Awaitable[T]], *, repeatable: bool = False) -> T:
        """Run `work` in a transaction, again as a whole if it lost against another one. Raises `DatabaseUnavailable`.

        Its end commits; an exception rolls it back, and so does an `Outcome` that the work returns.

        Once begun it runs to its end, whatever becomes of the caller: a call that is cancelled half way would
        leave SQLite's thread at work on a connection that somebody else believes to be free.

        Where it has not begun by the deadline, it never does. `repeatable`: nor is its end waited for any longer then,
        because the same call again finds what it has done.
        """
        turn = _Turn()
        running = asyncio.ensure_future(self._attempt(work, turn))
        self._running.add(running)
        running.add_done_callback(self._ended)
        try:
            if await _outlasts_deadline(running, turn) and (repeatable or not turn.has_begun):
                turn.is_over = True
                running.add_done_callback(_log_fault)
                if tally := query_stats.current():
                    tally.unavailable += 1
                raise DatabaseUnavailable("The database could not decide in time")
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.add_done_callback(_log_fault)
            raise

    def _ended(self, running: asyncio.Future[Any]) -> None:
        self._running.discard(running)
        # Seen thereby, in case that nobody waits for it any more.
        if not running.cancelled() and isinstance(running.exception(), DatabaseUnavailable):
            self.refusals += 1

    async def _attempt(self, work: Callable[[AsyncSession], Awaitable[T]], turn: _Turn) -> T:
        # Whoever has gone by the deadline has been told, and counted, already.
        with errors.translate_errors(lambda: not turn.is_over):
            async for attempt in RetrySchedule():
                try:
                    turn.has_begun = False
                    async with self.begin() as session:
                        await session.connection()  # which may have to be waited for
                        turn.begin()
                        await self._limit_locks(session)
                        result = await work(session)
                        if isinstance(result, Outcome):
                            raise _RolledBack(result)
                        return result
                except _RolledBack as rolled_back:
                    # Here and not where it is waited for: nobody may be there any more, and it is no fault.
                    return cast(T, rolled_back.outcome)
                except Exception as error:
                    if attempt == MAX_ATTEMPTS or not errors.is_conflict(error):
                        raise
        raise DatabaseUnavailable("The deadline has passed between two attempts")

    async def _limit_locks(self, session: AsyncSession) -> None:
        """Have locks waited for no longer than until the deadline, where much of that time is gone already."""
        if (deadline := deadlines.current()) is None or self.dialect == "sqlite":
            return  # on SQLite the lock has been had
        left = deadline - asyncio.get_running_loop().time()
        if left < self.lock_timeout * 0.9:
            await session.execute(text(f"SET LOCAL lock_timeout = {max(1, round(left * 1_000))}"))

    async def version(self) -> str:
        """Read the version of the engine. Raises `DatabaseUnavailable`."""
        function = "sqlite_version()" if self.dialect == "sqlite" else "current_setting('server_version')"
        async with self.read() as session:
            return str(await session.scalar(text(f"SELECT {function}")))

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run plain SQLAlchemy `work` in a write transaction that takes as long as it takes, for tools."""
        with errors.translate_errors():
            async with self._tools.begin() as connection:
                return await connection.run_sync(work)

    async def analyze(self) -> None:
        """Have the engine look at what is in the tables, so that it plans for it. Raises `DatabaseUnavailable`."""

        def work(connection: Connection) -> None:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA analysis_limit = 1000")  # rows of each index, or it reads them all
            connection.exec_driver_sql("ANALYZE")

        await self.run(work)

    def invalidate_connections(self) -> None:
        """Have the connections that there are replaced as they are used next: one of them does not answer."""
        self._made.invalidate_connections()

    async def close(self) -> None:
        """Let what is running end, then give every connection back; those that are dead are left to themselves."""
        if self._running:
            await asyncio.wait(self._running, timeout=retry.CLOSE_TIMEOUT)
        try:
            async with asyncio.timeout(retry.CLOSE_TIMEOUT):
                # The writer last: whoever closes an SQLite file last writes the log back into it.
                for engine in reversed(self.engines):
                    await engine.dispose()
            self._made.closed()
        except TimeoutError:
            _log.warning("Connections to the database could not be closed in time")


async def _outlasts_deadline(running: asyncio.Future[Any], turn: _Turn) -> bool:
    """Wait until a transaction has ended, or until the deadline if there is one, and tell whether it goes on then."""
    if (deadline := deadlines.current()) is None:
        return False
    await asyncio.wait([running], timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
    if turn.has_begun and not running.done():
        # The engine's own "no" is about to come, and would say for sure that nothing was done.
        await asyncio.wait([running], timeout=LAST_WORD)
    return not running.done()


def _log_fault(running: asyncio.Future[Any]) -> None:
    """Log what went wrong after whoever waited for it had gone, and with it the place where faults are shown."""
    if not running.cancelled() and not isinstance(fault := running.exception(), DatabaseUnavailable | None):
        _log.error("A transaction failed after its caller had gone", exc_info=fault)
