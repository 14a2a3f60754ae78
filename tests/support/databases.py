"""Databases: a fresh one for a fixture that is parametrised with the name of an engine."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import text

from db.connection.database import Database
from tests.support import postgres


@contextmanager
def migrated(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Give the URL of a database with our schema and the local workspace in it."""
    if request.param == "sqlite":
        file = folder / "marginalia.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
    else:
        pool: postgres.Pool = request.getfixturevalue("postgres_pool")
        with pool.fresh() if request.node.get_closest_marker("fresh") else pool.database() as url:
            yield url


@asynccontextmanager
async def user(database: Database, url: str, rights: str) -> AsyncIterator[str]:
    """Give the URL of a database of PostgreSQL for a user who has some rights in it and no others."""
    name, address = f"somebody_{database.url.database}", urlsplit(url)
    async with database.begin() as session:
        await session.execute(text(f"CREATE ROLE {name} LOGIN"))
        await session.execute(text(f"GRANT {rights} TO {name}"))
    yield urlunsplit(address._replace(netloc=f"{name}@{address.netloc.rpartition('@')[2]}"))
    database.invalidate_connections()  # a test may have ended all connections
    async with database.begin() as session:
        await session.execute(text(f"DROP OWNED BY {name}"))
        await session.execute(text(f"DROP ROLE {name}"))


@contextmanager
def empty(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database of an engine, with nothing in it."""
    if engine == "sqlite":
        yield f"sqlite:///{folder / 'empty.db'}"
    else:
        with postgres.database(request.getfixturevalue("postgres_server")) as url:
            yield url
