"""Fixtures: the world, and a load on a server that takes real tokens, keys and links."""

from collections.abc import AsyncIterator

import pytest

from db.connection.database import Database
from tests.checkers.isolation import world
from tests.checkers.isolation.callers import callers
from tests.checkers.isolation.load import UNLIMITED, Load
from tests.conftest import Serve
from tests.support import tokens

SEED = 13


@pytest.fixture
async def load(serve: Serve, database: Database) -> AsyncIterator[Load]:
    """Give a load on both workspaces, which has not begun."""
    homes = world.homes()
    await world.make(database, homes)
    those = await callers(database, homes)
    async with serve(auth="tokens", token_secret=tokens.SECRET, **UNLIMITED) as served:
        yield Load(served, homes, those, SEED)
