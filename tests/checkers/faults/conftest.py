"""Fixtures: the database that is struck, apart from the one that looks at what was done."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from db.connection.database import Database


async def warm(database: Database) -> Database:
    """Have each engine used once: what its first use sends besides is not looked at."""
    for use in (database.read, database.begin):
        async with use() as session:
            await session.execute(text("SELECT 1"))
    return database


@pytest.fixture
async def struck(database_url: str) -> AsyncIterator[Database]:
    """Give the database that the commands use."""
    opened = await warm(Database(database_url))
    yield opened
    await opened.close()


@pytest.fixture
async def struck_in_a_hurry(database_url: str) -> AsyncIterator[Database]:
    """Give it to commands that wait in vain, so that they do not do so for long."""
    opened = await warm(Database(database_url, lock_timeout=0.1))
    yield opened
    await opened.close()
