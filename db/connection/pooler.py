"""Connection poolers, such as PgBouncer, in front of PostgreSQL: detected when a connection is made.

Behind a pooler, each transaction may run on another server connection. A session's settings and prepared statements
are then lost, or seen by other clients. So we keep no session state: each transaction makes its own settings, and
each execution sends the text of its statement.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.exceptions import ProtocolViolationError
from asyncpg.prepared_stmt import PreparedStatement

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
else:
    Connection = asyncpg.Connection  # generic in its stubs only

_log = logging.getLogger("marginalia.database")

_NAME = {"application_name": "marginalia"}
"""The only session setting that poolers preserve."""

Connect = Callable[..., Awaitable[Connection]]


class PooledConnection(Connection):
    """A connection to a pooler. Its prepared statements are unnamed, and are sent with each execution."""

    transaction_settings = ""
    """Statements sent together with each BEGIN, without a further round trip."""

    async def prepare(self, query: str, *, name: str | None = None, **options: Any) -> "PreparedStatement[Any]":
        """Prepare a statement without a name: asyncpg parses it again, in the same round trip, at each use."""
        return await super().prepare(query, name="", **options)

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """Run a statement. A BEGIN also makes the settings of the transaction."""
        if query.startswith("BEGIN"):
            query += self.transaction_settings
        return await super().execute(query, *args, **options)


class Connector:
    """Makes the connections of a process to a database, and detects a pooler in front of it."""

    def __init__(self) -> None:
        self._found_pooler = False

    def with_settings(self, settings: Mapping[str, str]) -> Connect:
        """Return a connect function. It makes the settings per session or, behind a pooler, per transaction."""
        for_session = {**_NAME, **settings}
        for_transaction = "".join(f" SET LOCAL {name} = '{value}';" for name, value in settings.items())

        async def connect(*args: Any, **options: Any) -> Connection:
            if not self._found_pooler:
                connection = await _to_server(*args, server_settings=for_session, **options)
                if connection is not None:
                    return connection
                # Remembered for the life of the process: a direct connection works in pooler mode too.
                self._found_pooler = True
                _log.info("The database is behind a connection pooler: settings are made per transaction")
            # Without its cache, asyncpg keeps no prepared statements and does not rely on earlier ones.
            pooled: PooledConnection = await asyncpg.connect(
                *args, server_settings=_NAME, connection_class=PooledConnection, statement_cache_size=0, **options
            )
            pooled.transaction_settings = for_transaction
            return pooled

        return connect


async def _to_server(*args: Any, **options: Any) -> Connection | None:
    """Connect to a server. None: there is a pooler in front of it."""
    try:
        connection: Connection = await asyncpg.connect(*args, **options)
    except ProtocolViolationError as error:
        if "startup parameter" in str(error):  # a server knows every parameter that we send
            return None
        raise
    try:
        # A pooler that ignores parameters accepts the connection. But the process id it reports for cancel requests is
        # made up, because it has many server connections. The query is not prepared: the statement would stay there.
        status = await connection.execute(f"SELECT WHERE pg_backend_pid() = {connection.get_server_pid()}")
    except BaseException:
        connection.terminate()
        raise
    if status == "SELECT 1":
        return connection
    await connection.close()
    return None
