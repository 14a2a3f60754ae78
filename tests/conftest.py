"""Fixtures: both databases, each test with one of its own, and the application on it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from db import workspaces
from db.connection.database import Database
from db.migrations import upgrade
from db.principals import Principal
from marginalia.app import create_app
from marginalia.authentication.local import LOCAL_OWNER
from marginalia.settings import Settings
from tests.support import compiled, databases, postgres
from tests.support.acting import Acting, PrincipalProvider
from tests.support.client import Served
from tests.support.thorough import thorough

Serve = Callable[..., AbstractAsyncContextManager[Served]]
"""Serves an application on the test's database, as a principal, or whoever `who` tells, and with settings of choice."""


FOLDER = Path(__file__).parent
ENGINES = ("sqlite", "postgresql")
ROOMS = {"checkers": "slow", "clients": "process", "upstream": "upstream"}
"""The folders whose tests all carry a marker."""
STARTING = {
    "subprocess",
    "tests.support.nginx",
    "tests.support.pgbouncer",
    "tests.support.processes",
    "tests.support.redis",
}
"""The modules that start processes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=ENGINES, help="run on this database only; without it, on both")


@pytest.hookimpl(tryfirst=True)  # before -m is applied
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of the slow rooms and those that start processes; choose which ones run, and in which order."""
    for item in items:
        if marker := ROOMS.get(item.path.relative_to(FOLDER).parts[0]):
            item.add_marker(marker)
        if _starts_processes(item):
            item.add_marker("process")
    if engine := config.getoption("--engine"):
        (other,) = set(ENGINES) - {engine}
        _leave_out([item for item in items if _engine(item) == other], config, items)
    if not thorough():
        _leave_out([item for item in items if item.get_closest_marker("thorough")], config, items)
    if workers := getattr(config, "workerinput", {}).get("workercount"):
        items[:] = _long_first(items, workers)


def _leave_out(left_out: list[pytest.Item], config: pytest.Config, items: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]


def _long_first(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Order tests so that each worker begins with long ones: what is left in the end is short and can be shared.

    Each worker gets a stretch of the list, and takes from the end of another one's when it is done with its own.
    """
    is_long = [any(item.get_closest_marker(name) for name in ("slow", "process")) for item in items]
    kinds = [[item for item, long in zip(items, is_long, strict=True) if long is kind] for kind in (True, False)]
    return [item for worker in range(workers) for kind in kinds for item in _stretch(kind, worker, workers)]


def _stretch(items: list[pytest.Item], worker: int, workers: int) -> list[pytest.Item]:
    return items[len(items) * worker // workers : len(items) * (worker + 1) // workers]


def _starts_processes(item: pytest.Item) -> bool:
    """Tell whether the module of a test has anything of those that start processes."""
    known = vars(item.module).values() if isinstance(item, pytest.Function) else ()
    return any(getattr(each, "__module__", getattr(each, "__name__", None)) in STARTING for each in known)


def _engine(item: pytest.Item) -> str | None:
    """Return the one database that a test needs, if it needs one."""
    if not isinstance(item, pytest.Function):
        return None
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    if named := [engine for engine in ENGINES if engine in parameters]:
        return named[0]
    return "postgresql" if "postgres_server" in item.fixturenames else None


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def compiled_statements() -> Iterator[None]:
    with compiled.kept():
        yield


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
    with postgres.database(postgres_server) as url:
        asyncio.run(_migrate(url))
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
def postgres_pool(postgres_server: str, postgres_template: str) -> Iterator[postgres.Pool]:
    pool = postgres.Pool(postgres_server, postgres_template)
    yield pool
    pool.close()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a fresh database with our schema and the local workspace in it."""
    with databases.migrated(request, tmp_path) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give the test its own hands on the database that the application uses."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def serve(database_url: str) -> Serve:
    @asynccontextmanager
    async def serving(
        principal: Principal = LOCAL_OWNER, who: PrincipalProvider | None = None, **settings: Any
    ) -> AsyncIterator[Served]:
        app = create_app(
            Settings(_env_file=None, **{"database_url": database_url, **settings}),
            None if "auth" in settings else Acting(who or (lambda: principal)),
        )
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
        ):
            # On a busy machine it takes longer than a server waits, and goes on besides what the test does.
            await app.state.preparation.tried()
            yield Served(http, app.state.database, app.state.operations)

    return serving


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[Served]:
    """Give a client of the application, as the owner of the local workspace."""
    async with serve() as serving:
        yield serving


async def _migrate(url: str) -> None:
    database = Database(url)
    await upgrade.upgrade(database)
    await workspaces.ensure(database, LOCAL_OWNER.workspace_id)
    await database.close()
