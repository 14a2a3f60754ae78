"""PostgreSQL: a pool for writing and one for reading, and what becomes of them when a connection is seen to be dead."""

import time
from typing import Any
from weakref import WeakSet

from asyncpg import Connection
from sqlalchemy import ExceptionContext, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from db import unreadable
from db.connection import errors, retry
from db.connection.engines import Engines
from db.pooler import Connector


def engines(url: URL, options: dict[str, Any], lock_timeout: float) -> Engines:
    """Make the engines for a database, each statement of which ends in its time, answered or not."""
    connections, connector = _Connections(), Connector()
    settings = {
        "lock_timeout": f"{lock_timeout * 1000:.0f}ms",
        "statement_timeout": f"{retry.STATEMENT_TIMEOUT:.0f}s",
        "idle_in_transaction_session_timeout": "60s",
        "jit": "off",  # compiling a plan costs more than any statement of ours
    }

    def engine(isolation: str, answer: float, **pool: Any) -> AsyncEngine:
        # The time for an answer is ours: a connection that has died without a word would be waited for for ever.
        connect = {
            "async_creator_fn": connector.with_settings(settings),
            "timeout": retry.CONNECT_TIMEOUT,
            "command_timeout": answer or None,
        }
        made = create_async_engine(url, isolation_level=isolation, connect_args=connect, **pool)
        event.listen(made.sync_engine, "handle_error", errors.redact_parameters)
        event.listen(made.sync_engine, "connect", _read_every_time)
        connections.watch(made)
        return made

    # Two pools: whoever waits for a lock holds a connection, and those who only read must not wait for that one.
    writes = engine("READ COMMITTED", retry.STATEMENT_TIMEOUT + lock_timeout, **options)
    # Outside AUTOCOMMIT each read would cost a BEGIN and a ROLLBACK of its own.
    served = {
        # A plan that was made while tables were small, and kept, would read all of them once they are filled.
        "plan_cache_mode": "force_custom_plan",
        # A range of an index is read up to a limit in its order; a bitmap would be made of all of it first.
        "enable_bitmapscan": "off",
    }
    settings = {**settings, **served}
    reads = engine("AUTOCOMMIT", retry.CONNECT_TIMEOUT + lock_timeout, **options)
    settings = {**settings, "statement_timeout": "0"}
    same = {name: options[name] for name in ("hide_parameters", "json_deserializer")}
    tools = engine("READ COMMITTED", 0, poolclass=NullPool, **same)
    return Engines(writes, reads, tools, connections.invalidate_connections)


class _Connections:
    """The connections of all engines: when one is seen to be dead, the others that are as old are not relied upon.

    Dead is one that has ended, that does not answer in time, and one that takes no writes: that, it has learned when it
    was made, and what has become of the database since, only a new one sees.
    """

    def __init__(self) -> None:
        self._engines: list[AsyncEngine] = []
        self._idle: WeakSet[Connection[Any]] = WeakSet()

    def watch(self, engine: AsyncEngine) -> None:
        """Keep account of the connections of an engine."""
        self._engines.append(engine)
        event.listen(engine.sync_engine, "checkin", self._checked_in)
        event.listen(engine.sync_engine, "checkout", self._checked_out)
        event.listen(engine.sync_engine, "handle_error", self._seen)

    def invalidate_connections(self) -> None:
        """Have all that there are by now replaced as they are used next."""
        for engine in self._engines:
            # SQLAlchemy does so for one engine where a listener says so; but of a call that was given up none hears.
            engine.pool._invalidate_time = time.time()
        for connection in self._idle:
            connection.terminate()  # otherwise each is asked to end, and waited for, before the next one is made
        self._idle.clear()

    def _checked_in(self, connection: Any, _entry: ConnectionPoolEntry) -> None:
        if connection is not None:
            self._idle.add(connection.driver_connection)

    def _checked_out(self, connection: Any, _entry: ConnectionPoolEntry, _proxy: Any) -> None:
        self._idle.discard(connection.driver_connection)

    def _seen(self, context: ExceptionContext) -> None:
        if errors.is_read_only(context.original_exception):
            context.is_disconnect = True
        if context.is_disconnect or isinstance(context.original_exception, TimeoutError):
            self.invalidate_connections()


def _read_every_time(connection: Any, _entry: ConnectionPoolEntry) -> None:
    """Have a time that Python has no datetime for read as such, where asyncpg would give up the whole statement."""

    async def set_codec(driver: Any) -> None:
        await driver.set_type_codec(
            "timestamptz",
            schema="pg_catalog",
            encoder=unreadable.stored_moment,
            decoder=unreadable.moment,
            format="tuple",
        )

    connection.run_async(set_codec)
