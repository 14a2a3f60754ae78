"""PostgreSQL: the write pool and the read pool, invalidated together when a connection is found dead."""

import time
from collections.abc import Awaitable
from typing import Any, cast
from weakref import WeakSet

from sqlalchemy import ExceptionContext, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from db.connection import errors, retry
from db.connection.engines import Engines
from db.connection.fetching import Fetcher, Rows
from db.connection.pooler import Connector
from db.reading import unreadable


def engines(url: URL, options: dict[str, Any], lock_timeout: float) -> Engines:
    """Create the engines for a database. Every statement has a timeout, on the server and in the client."""
    connections, connector = _Connections(), Connector()
    settings = {
        "lock_timeout": f"{lock_timeout * 1000:.0f}ms",
        "statement_timeout": f"{retry.STATEMENT_TIMEOUT_S:.0f}s",
        "idle_in_transaction_session_timeout": "60s",
        "jit": "off",  # JIT compilation costs more than any of our statements
    }

    def engine(isolation: str, answer: float, **pool: Any) -> AsyncEngine:
        # A client-side timeout: without it, a call on a connection that died silently would never return.
        connect = {
            "async_creator_fn": connector.with_settings(settings),
            "timeout": retry.CONNECT_TIMEOUT_S,
            "command_timeout": answer or None,
        }
        made = create_async_engine(url, isolation_level=isolation, connect_args=connect, **pool)
        event.listen(made.sync_engine, "handle_error", _redact_parameters)
        event.listen(made.sync_engine, "connect", _read_every_time)
        connections.watch(made)
        return made

    # Two pools: a transaction that waits for a lock holds a connection, and readers must not wait for that one.
    writes = engine("READ COMMITTED", retry.STATEMENT_TIMEOUT_S + lock_timeout, **options)
    # Outside AUTOCOMMIT each read would cost a BEGIN and a ROLLBACK of its own.
    served = {
        # A cached plan made while tables were small would scan them in full once they are filled.
        "plan_cache_mode": "force_custom_plan",
        # An index range scan stops at the LIMIT; a bitmap scan would read the whole range first.
        "enable_bitmapscan": "off",
    }
    settings = {**settings, **served}
    reads = engine("AUTOCOMMIT", retry.CONNECT_TIMEOUT_S + lock_timeout, **options)
    settings = {**settings, "statement_timeout": "0"}
    same = {name: options[name] for name in ("hide_parameters", "json_deserializer")}
    tools = engine("READ COMMITTED", 0, poolclass=NullPool, **same)
    return Engines(writes, reads, tools, Fetcher(reads, _Driver(connections)), connections.invalidate_connections)


class _Connections:
    """The connections of all engines. When one is found dead, all connections of its age or older are invalidated.

    A connection is dead if it has ended, does not answer in time, or is read-only. It learned that it is read-only
    when it was made; only a new connection sees what has become of the database since.
    """

    def __init__(self) -> None:
        self._engines: list[AsyncEngine] = []
        self._invalidated_at = 0.0
        self._failed: WeakSet[Any] = WeakSet()
        """Connections whose statement failed: closed gracefully, so that a pooler passes the cancellation on."""

    def watch(self, engine: AsyncEngine) -> None:
        """Track the connections of an engine."""
        self._engines.append(engine)
        event.listen(engine.sync_engine, "close", self._closing)
        event.listen(engine.sync_engine, "handle_error", self._seen)

    def invalidate_connections(self) -> None:
        """Invalidate every existing connection; each is replaced at its next checkout."""
        self._invalidated_at = time.time()
        for engine in self._engines:
            # SQLAlchemy invalidates one engine when a listener asks for it, but no listener runs for a cancelled call.
            engine.pool._invalidate_time = self._invalidated_at

    def found_dead(self, connection: Any, error: BaseException) -> bool:
        """Return whether an error shows that its connection is dead. All others are then invalidated with it."""
        is_dead = connection.is_closed() or isinstance(error, TimeoutError) or errors.is_read_only(error)
        if is_dead:
            self._failed.add(connection)
            self.invalidate_connections()
        return is_dead

    def _closing(self, connection: Any, entry: Any) -> None:
        if entry.last_connect_time < self._invalidated_at and connection.driver_connection not in self._failed:
            connection.driver_connection.terminate()  # otherwise its replacement waits until it is closed gracefully

    def _seen(self, context: ExceptionContext) -> None:
        if errors.is_read_only(context.original_exception):
            context.is_disconnect = True
        if context.is_disconnect or isinstance(context.original_exception, TimeoutError):
            if context.connection is not None and not context.connection.invalidated:
                self._failed.add(context.connection.connection.driver_connection)
            self.invalidate_connections()


class _Driver:
    """Fetches through asyncpg, which prepares each statement once for each connection."""

    def __init__(self, connections: _Connections) -> None:
        self._connections = connections

    def fetch(self, connection: Any, text: str, arguments: tuple[Any, ...]) -> Awaitable[Rows]:
        """Return the rows of a statement."""
        rows: Awaitable[Rows] = connection.fetch(text, *arguments)
        return rows

    def is_usable(self, entry: ConnectionPoolEntry) -> bool:
        """Whether the connection has not ended while it was idle. If it has, so have others of its age, probably."""
        is_closed = cast(Any, entry.driver_connection).is_closed()
        if is_closed:
            self._connections.invalidate_connections()
        return not is_closed

    def failed(self, connection: Any, error: Exception) -> bool:
        """Remove the values of parameters from an error. Return whether it shows that the connection is dead."""
        errors.redact_parameters(error)
        return self._connections.found_dead(connection, error)


def _redact_parameters(context: ExceptionContext) -> None:
    cause = context.original_exception.__cause__
    if cause is None or context.statement is None:
        errors.redact_detail(cause)  # of a commit, for example
    else:
        errors.redact_parameters(cause, context.original_exception, context.sqlalchemy_exception)


def _read_every_time(connection: Any, _entry: ConnectionPoolEntry) -> None:
    """Decode a time outside Python's range as `Unreadable`; asyncpg would fail the whole statement."""

    async def set_codec(driver: Any) -> None:
        await driver.set_type_codec(
            "timestamptz",
            schema="pg_catalog",
            encoder=unreadable.stored_moment,
            decoder=unreadable.moment,
            format="tuple",
        )

    connection.run_async(set_codec)
