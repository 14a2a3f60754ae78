"""Fixtures: one database of each kind behind four server processes, for all tests here, because starting takes long."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.support import databases
from tests.support.client import Client
from tests.support.processes import running_server

PROCESSES = 4


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a fresh database with our schema and the local workspace in it."""
    with databases.migrated(request, tmp_path_factory.mktemp("processes")) as url:
        yield url


@pytest.fixture(scope="package")
def addresses(database_url: str) -> Iterator[list[str]]:
    """Serve the database from several processes, which start side by side."""
    with ExitStack() as stack, ThreadPoolExecutor(PROCESSES) as pool:
        yield list(pool.map(stack.enter_context, [running_server(database_url) for _ in range(PROCESSES)]))


@pytest.fixture
async def clients(addresses: list[str]) -> AsyncIterator[list[Client]]:
    """Give a client of each process, with as many connections as it has requests at once."""
    # None is kept as long as the server keeps one that is idle: it might end it while the next request is on its way.
    limits = httpx.Limits(max_connections=None, keepalive_expiry=2)
    https = [httpx.AsyncClient(base_url=address, limits=limits, timeout=30) for address in addresses]
    yield [Client(http) for http in https]
    await asyncio.gather(*(http.aclose() for http in https))
