"""Connection poolers: PgBouncer and its like in front of PostgreSQL, found out when a connection is made.

Behind one, each transaction may run on another connection to the server, and a setting or a prepared statement of a
session is lost, or is met by somebody else. So nothing of ours is kept there: each transaction brings its settings
along, and each statement its text.
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
"""The one thing of a session that poolers keep for us."""

Connect = Callable[..., Awaitable[Connection]]


class PooledConnection(Connection):
    """A connection to a pooler. Its statements are unnamed, and sent together with what they are executed with."""

    transaction_settings = ""
    """Statements that begin each transaction, with the BEGIN and at no further round trip."""

    async def prepare(self, query: str, *, name: str | None = None, **options: Any) -> "PreparedStatement[Any]":
        """Prepare a statement without a name: asyncpg parses it anew, in the same round trip, whenever it is used."""
        return await super().prepare(query, name="", **options)

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """Run a statement; one that begins a transaction makes its settings too."""
        if query.startswith("BEGIN"):
            query += self.transaction_settings
        return await super().execute(query, *args, **options)


class Connector:
    """Makes the connections of a process to a database, and notices when there is a pooler in front of it."""

    def __init__(self) -> None:
        self._found_pooler = False

    def with_settings(self, settings: Mapping[str, str]) -> Connect:
        """Return what connects with settings that hold for a session or, behind a pooler, in each transaction."""
        for_session = {**_NAME, **settings}
        for_transaction = "".join(f" SET LOCAL {name} = '{value}';" for name, value in settings.items())

        async def connect(*args: Any, **options: Any) -> Connection:
            if not self._found_pooler:
                connection = await _to_server(*args, server_settings=for_session, **options)
                if connection is not None:
                    return connection
                # For the life of the process: to the server itself, what follows would work too.
                self._found_pooler = True
                _log.info("The database is reached through a connection pooler: settings are made in each transaction")
            # Without its cache, asyncpg keeps no statement of its own and does not rely on ours to be there.
            pooled: PooledConnection = await asyncpg.connect(
                *args, server_settings=_NAME, connection_class=PooledConnection, statement_cache_size=0, **options
            )
            pooled.transaction_settings = for_transaction
            return pooled

        return connect


async def _to_server(*args: Any, **options: Any) -> Connection | None:
    """Connect to a server; None: there is a pooler in front of it."""
    try:
        connection: Connection = await asyncpg.connect(*args, **options)
    except ProtocolViolationError as error:
        if "startup parameter" in str(error):  # a server knows all that we send
            return None
        raise
    try:
        # A pooler that ignores parameters lets us in. But it makes up the process id by which it is told to cancel,
        # for it has many. Not asked by a statement that is prepared: that would be left behind there.
        told = await connection.execute(f"SELECT WHERE pg_backend_pid() = {connection.get_server_pid()}")
    except BaseException:
        connection.terminate()
        raise
    if told == "SELECT 1":
        return connection
    await connection.close()
    return None
