"""Outages: a database that is taken away from under a server, and brought back."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text

from db.database import Database
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
        for engine in database.engines:
            await engine.dispose()  # a file that is open can be used, wherever it is moved to
        shutil.move(folder, folder.with_name("away"))
        yield
        shutil.move(folder.with_name("away"), folder)
    else:
        name = database.url.database
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - our own name
        await asyncio.to_thread(postgres.execute, postgres_server, end)
        await asyncio.to_thread(postgres.execute, postgres_server, f"ALTER DATABASE {name} RENAME TO {name}_away")
        yield
        await asyncio.to_thread(postgres.execute, postgres_server, f"ALTER DATABASE {name}_away RENAME TO {name}")
