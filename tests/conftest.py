"""Fixtures: both databases, each test with one of its own, and the application on it."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from db import revisions, workspaces
from db.database import Database
from marginalia.app import create_app
from marginalia.principals import LOCAL_OWNER
from marginalia.settings import Settings
from services.principals import Principal
from tests.support import postgres
from tests.support.client import Served

Serve = Callable[..., AbstractAsyncContextManager[Served]]
"""Serves an application on the test's database, as a principal and with settings of choice."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "template.db"
    asyncio.run(_migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    name = f"marginalia_template_{uuid.uuid4().hex}"
    postgres.execute(postgres_server, f"CREATE DATABASE {name}")
    asyncio.run(_migrate(postgres.with_database(postgres_server, name)))
    yield name
    postgres.execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a fresh database with our schema and the local workspace in it."""
    if request.param == "sqlite":
        file = tmp_path / "marginalia.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    server = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("postgres_template")
    name = f"marginalia_{uuid.uuid4().hex}"
    postgres.execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.with_database(server, name)
    postgres.execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give the test its own hands on the database that the application uses."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def serve(database_url: str) -> Serve:
    @asynccontextmanager
    async def serving(principal: Principal = LOCAL_OWNER, **settings: Any) -> AsyncIterator[Served]:
        app = create_app(
            Settings(_env_file=None, database_url=database_url, **settings),
            lambda _request: principal,
        )
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
        ):
            yield Served(http, app.state.database)

    return serving


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[Served]:
    """Give a client of the application, as the owner of the local workspace."""
    async with serve() as serving:
        yield serving


async def _migrate(url: str) -> None:
    database = Database(url)
    await revisions.upgrade(database)
    await workspaces.ensure(database, LOCAL_OWNER.workspace_id)
    await database.close()
