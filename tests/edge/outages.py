"""Outages: a database that is taken away from under a server, and brought back."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text

from db.connection.database import Database
from tests.support import postgres


async def execute(database: Database, *statements: str) -> None:
    """Run statements in one transaction."""
    async with database.begin() as session:
        for statement in statements:
            await session.execute(text(statement))


@asynccontextmanager
async def gone(database: Database, postgres_server: str) -> AsyncIterator[None]:
    """Take the database of an application away, and with it the connections that it holds."""
    if database.dialect == "sqlite":
        folder = Path(str(database.url.database)).parent
        shutil.move(folder, folder.with_name("away"))
        yield
        shutil.move(folder.with_name("away"), folder)
    else:
        name = database.url.database
        # Nobody comes back between its end and its move: that would be a second outage.
        await _alter(postgres_server, f"{name} ALLOW_CONNECTIONS false")
        await ended(database, postgres_server)
        await _alter(postgres_server, f"{name} RENAME TO {name}_away")
        await _alter(postgres_server, f"{name}_away ALLOW_CONNECTIONS true")
        yield
        await _alter(postgres_server, f"{name}_away RENAME TO {name}")


@asynccontextmanager
async def standing_by(database: Database, postgres_server: str) -> AsyncIterator[None]:
    """Have a database of PostgreSQL take no writes, as one that has become a standby, or has no room left.

    When it does again, those who are connected are not told, as behind a proxy that keeps their connections.
    """
    name = database.url.database
    await _alter(postgres_server, f"{name} SET default_transaction_read_only = on")
    await ended(database, postgres_server)
    yield
    await _alter(postgres_server, f"{name} RESET default_transaction_read_only")


async def ended(database: Database, postgres_server: str) -> None:
    """End all connections to a database of PostgreSQL."""
    name = database.url.database
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - our own name
    await postgres.executed(postgres_server, end)


async def _alter(postgres_server: str, how: str) -> None:
    await postgres.executed(postgres_server, f"ALTER DATABASE {how}")
