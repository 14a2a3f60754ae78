"""Fixtures of the tests that look beneath the API."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from db.connection.database import Database
from tests.support import databases


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database without any schema."""
    with databases.empty(request, request.param, tmp_path) as url:
        yield url


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    """Give a database without any schema."""
    opened = Database(empty_url)
    yield opened
    await opened.close()
