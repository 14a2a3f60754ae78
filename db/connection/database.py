"""The database: its URL, its connection pools, and read and write access."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Dialect, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import configure_mappers
from sqlalchemy.pool import QueuePool

from db.connection import deadlines, errors, postgresql, query_stats, retry, sqlite
from db.connection.errors import DatabaseUnavailable
from db.connection.fetching import BeforeFetch, Rows
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
    """The URL does not name a database that the server supports."""


def parse_url(plain: str) -> URL:
    """Parse a plain URL, such as `sqlite:///path` or `postgresql://user@host/db`, and set our driver in it.

    Raises `BadDatabaseUrl` with a sentence for the operator.
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
        query["ssl"] = query.pop("sslmode")  # asyncpg's name for the parameter
    if query.get("ssl", "prefer") not in _SSL_MODES:
        raise BadDatabaseUrl(f"The sslmode of the database is one of {', '.join(_SSL_MODES)}.")
    return url.set(drivername=driver, query=query)


def _check_sqlite(url: URL, plain: str) -> None:
    if not url.database or url.database == ":memory:":
        # Reads and writes use separate connections, and each would get its own empty database.
        raise BadDatabaseUrl("An SQLite database must be a file, for example sqlite:///var/marginalia.db.")
    if url.host or url.username or url.password or url.port:
        raise BadDatabaseUrl("An SQLite file has no host: write sqlite:///path, or sqlite:////path from the root.")
    if "?" in plain:
        # SQLAlchemy would drop the query silently, and the server would open another file.
        parameters = plain.partition("?")[2]
        raise BadDatabaseUrl(f"SQLite takes no parameters: {parameters!r}. A ? in the name of a file is written %3F.")
    if "\0" in url.database:
        raise BadDatabaseUrl("The name of an SQLite file cannot hold a NUL.")
    if "\ufffd" in url.database and "\ufffd" not in plain:
        raise BadDatabaseUrl("The name of an SQLite file has a % that does not stand for UTF-8; write it as %25.")


def _check_postgresql(url: URL, _plain: str) -> None:
    if not url.database:
        # PostgreSQL would default to the database named after the user, which is rarely ours.
        raise BadDatabaseUrl("The URL of the database has no name at its end: postgresql://user@host/name.")
    if "\0" in f"{url.database}{url.username}{url.host}":
        raise BadDatabaseUrl("The URL of the database cannot hold a NUL.")


def _ports(url: URL) -> list[str]:
    given = url.query.get("port", ())
    written = [given] if isinstance(given, str) else list(given)
    return [*written, *([] if url.port is None else [str(url.port)])]


def is_missing(plain: str) -> bool:
    """Whether a URL names an SQLite file that does not exist and would be created. Raises `BadDatabaseUrl`."""
    url = parse_url(plain)
    return url.drivername.startswith("sqlite") and not os.path.exists(str(url.database))  # Path.exists can raise


def without_password(plain: str) -> str:
    """Return a database URL with its password masked."""
    return make_url(plain).render_as_string(hide_password=True)


LOCK_ERROR_GRACE_S = 1.0
"""How long after the deadline to wait for the engine's lock timeout error, which is certain that nothing was done."""


class _Turn:
    """The turn of a transaction: whether it has begun, or must no longer begin because its caller has gone."""

    def __init__(self) -> None:
        self.has_begun = False
        self.is_over = False

    def begin(self) -> None:
        """Record that the transaction begins. Raises `DatabaseUnavailable` if it must not."""
        if self.is_over or deadlines.has_passed():
            raise DatabaseUnavailable("The transaction could not begin in time")
        self.has_begun = True


class _RolledBack(Exception):
    """Rolls back a transaction whose work returned an outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Database:
    """The connections of one process to one database.

    Reads run outside transactions, and each statement has a snapshot of its own. Writes run in short transactions.
    On SQLite all writes of a process share one connection. So readers never wait, and no two connections of a process
    write to the file at once.
    """

    def __init__(self, url: str, *, pool_size: int = 10, lock_timeout: float = 5.0, read_only: bool = False) -> None:
        """Open no connection yet. `read_only`: an SQLite file can be read in a folder that is not writable."""
        self.url = parse_url(url)
        # The first ORM query usually does this, but anchors are built without one.
        configure_mappers()
        options = {
            "pool_size": pool_size,
            "max_overflow": 0,
            "pool_timeout": lock_timeout,
            "hide_parameters": True,  # errors are logged, user texts are not
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
        """Transactions refused as temporarily unavailable. The readiness probe retries a write when this changes."""
        self._running: set[asyncio.Future[Any]] = set()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writes.dialect.name

    @property
    def dialect_of_reads(self) -> Dialect:
        """The SQLAlchemy dialect that compiles reads."""
        return self._reads.dialect

    @property
    def engines(self) -> tuple[AsyncEngine, ...]:
        """The SQLAlchemy engines, for tools that observe their statements."""
        return self._writes, self._reads

    @property
    def in_use(self) -> dict[str, int]:
        """The number of connections checked out from the pools `reading` and `writing`."""
        pools = {"reading": self._reads.pool, "writing": self._writes.pool}
        return {name: pool.checkedout() for name, pool in pools.items() if isinstance(pool, QueuePool)}

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Yield a session for reads outside any transaction. Raises `DatabaseUnavailable`."""
        with errors.translate_errors():
            async with AsyncSession(self._reads, expire_on_commit=False, autoflush=False) as session:
                yield session

    async def fetch(self, text: str, arguments: tuple[Any, ...]) -> Rows:
        """Return the rows of a compiled read, as the driver returns them. Raises `DatabaseUnavailable`.

        The statement passes none of SQLAlchemy's events, and a fault is an error of the driver.
        """
        query_stats.count()
        try:
            return await self._made.fetcher.fetch(text, arguments)
        except Exception as error:
            errors.raise_unavailable(error)
            raise

    @property
    def before_fetch(self) -> list[BeforeFetch]:
        """What is called before each fetch, for tools that observe or change its statement."""
        return self._made.fetcher.before

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """Yield a session in a transaction. Leaving the block commits; an exception rolls back."""
        async with AsyncSession(self._writes, expire_on_commit=False) as session, session.begin():
            yield session

    async def transact(self, work: Callable[[AsyncSession], Awaitable[T]], *, repeatable: bool = False) -> T:
        """Run `work` in a transaction; retry it as a whole if it lost a conflict. Raises `DatabaseUnavailable`.

        The end of the work commits. An exception rolls back, and so does an `Outcome` that the work returns.

        A transaction that has begun runs to its end, even if its caller is cancelled: a cancelled call would leave
        SQLite's thread at work on a connection that looks free.

        A transaction that has not begun by the deadline never begins. The caller waits for `repeatable` work until the
        deadline only, because repeating the call finds what the work has done.
        """
        turn = _Turn()
        running = asyncio.ensure_future(self._attempt(work, turn))
        self._running.add(running)
        running.add_done_callback(self._ended)
        try:
            if await _outlasts_deadline(running, turn) and (repeatable or not turn.has_begun):
                turn.is_over = True
                running.add_done_callback(_log_fault)
                if stats := query_stats.current():
                    stats.unavailable += 1
                raise DatabaseUnavailable("The database could not finish in time")
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.add_done_callback(_log_fault)
            raise

    def _ended(self, running: asyncio.Future[Any]) -> None:
        self._running.discard(running)
        # exception() also marks the error as retrieved, in case no caller waits any more.
        if not running.cancelled() and isinstance(running.exception(), DatabaseUnavailable):
            self.refusals += 1

    async def _attempt(self, work: Callable[[AsyncSession], Awaitable[T]], turn: _Turn) -> T:
        # A caller that left at the deadline got its error, and was counted, already.
        with errors.translate_errors(lambda: not turn.is_over):
            async for attempt in RetrySchedule():
                try:
                    turn.has_begun = False
                    async with self.begin() as session:
                        await session.connection()  # the checkout may have to wait
                        turn.begin()
                        await self._limit_locks(session)
                        result = await work(session)
                        if isinstance(result, Outcome):
                            raise _RolledBack(result)
                        return result
                except _RolledBack as rolled_back:
                    # Caught here, not in the caller: the caller may have gone, and an outcome is not a fault.
                    return cast(T, rolled_back.outcome)
                except Exception as error:
                    if attempt == MAX_ATTEMPTS or not errors.is_conflict(error):
                        raise
        raise DatabaseUnavailable("The deadline passed between two attempts")

    async def _limit_locks(self, session: AsyncSession) -> None:
        """Shorten the lock timeout if the deadline comes clearly before it."""
        if (deadline := deadlines.current()) is None or self.dialect == "sqlite":
            return  # on SQLite, BEGIN IMMEDIATE has taken the only lock
        left = deadline - asyncio.get_running_loop().time()
        if left < self.lock_timeout * 0.9:
            await session.execute(text(f"SET LOCAL lock_timeout = {max(1, round(left * 1_000))}"))

    async def version(self) -> str:
        """Read the version of the database engine. Raises `DatabaseUnavailable`."""
        function = "sqlite_version()" if self.dialect == "sqlite" else "current_setting('server_version')"
        async with self.read() as session:
            return str(await session.scalar(text(f"SELECT {function}")))

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run synchronous SQLAlchemy `work` in a write transaction without a statement timeout, for tools."""
        with errors.translate_errors():
            async with self._tools.begin() as connection:
                return await connection.run_sync(work)

    async def analyze(self) -> None:
        """Update the engine's planner statistics with ANALYZE. Raises `DatabaseUnavailable`."""

        def work(connection: Connection) -> None:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA analysis_limit = 1000")  # rows per index; without it, all
            connection.exec_driver_sql("ANALYZE")

        await self.run(work)

    def invalidate_connections(self) -> None:
        """Invalidate every pooled connection; each is replaced at its next checkout."""
        self._made.invalidate_connections()

    async def close(self) -> None:
        """Wait for running transactions, then close every connection. Dead connections are abandoned."""
        if self._running:
            await asyncio.wait(self._running, timeout=retry.CLOSE_TIMEOUT_S)
        try:
            async with asyncio.timeout(retry.CLOSE_TIMEOUT_S):
                # The writer closes last: the last connection to an SQLite file checkpoints its write-ahead log.
                for engine in reversed(self.engines):
                    await engine.dispose()
            self._made.closed()
        except TimeoutError:
            _log.warning("Connections to the database could not be closed in time")


async def _outlasts_deadline(running: asyncio.Future[Any], turn: _Turn) -> bool:
    """Wait for a transaction until the deadline, if there is one. Return whether it is still running."""
    if (deadline := deadlines.current()) is None:
        return False
    await asyncio.wait([running], timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
    if turn.has_begun and not running.done():
        # The engine's own lock timeout is imminent. It would prove that nothing was done.
        await asyncio.wait([running], timeout=LOCK_ERROR_GRACE_S)
    return not running.done()


def _log_fault(running: asyncio.Future[Any]) -> None:
    """Log the fault of a transaction whose caller has gone: nothing else would report it."""
    if not running.cancelled() and not isinstance(fault := running.exception(), DatabaseUnavailable | None):
        _log.error("A transaction failed after its caller had gone", exc_info=fault)
