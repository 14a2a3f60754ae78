"""Rest: nobody is at work on a database any more, and nothing was left behind."""

import asyncio
import sqlite3
from contextlib import closing

from sqlalchemy import text

from db.connection.database import Database


async def assert_at_rest(used: Database, database: Database | None = None) -> None:
    """Insist that soon nobody is at work on a database any more: no connection in use, no transaction open.

    `used` tells its own connections; transactions of whoever else are looked for through `database`, or through it too.
    """
    database = database or used
    async with asyncio.timeout(10):
        while any(used.in_use.values()) or await _open_transactions(database):  # noqa: ASYNC110 - only they know
            await asyncio.sleep(0.001)


async def _open_transactions(database: Database) -> int:
    if database.dialect == "sqlite":
        with closing(sqlite3.connect(str(database.url.database), timeout=0, isolation_level=None)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return 1
        return 0
    async with database.read() as session:
        count = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND (xact_start IS NOT NULL OR state <> 'idle')"
        )
        return int(await session.scalar(count) or 0)
