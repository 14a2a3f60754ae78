"""Fixtures of the tests that look beneath the API."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from db.database import Database
from tests.support import postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database without any schema."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"marginalia_empty_{uuid.uuid4().hex}"
    postgres.execute(server, f"CREATE DATABASE {name}")
    yield postgres.with_database(server, name)
    postgres.execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    """Give a database without any schema."""
    opened = Database(empty_url)
    yield opened
    await opened.close()
