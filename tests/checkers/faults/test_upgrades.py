"""Upgrades with several servers: the schema goes first, and those of the version before serve on, or say why not."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from db.connection.database import Database
from db.migrations import upgrade
from marginalia.startup import UNREACHABLE
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import ensure, post
from tests.support.invariants import violations
from tests.support.processes import COMMAND, ROOT, environment, run, running
from tests.support.versions import newer

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def anchor(database: Database) -> tuple[str, str]:
    document = await factories.document(database)
    return document.id, (await factories.section(database, document)).id


@asynccontextmanager
async def serving(url: str, cwd: Path = ROOT) -> AsyncIterator[httpx.AsyncClient]:
    with running([*COMMAND, "serve", "--port", "0", "--database", url], environment(), cwd) as server:
        # Sooner given up than by the server, which would end a connection under a request that is on its way.
        kept = httpx.Limits(keepalive_expiry=1)
        async with httpx.AsyncClient(base_url=server.address, timeout=40, limits=kept) as http:
            async with asyncio.timeout(30):
                while (await http.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - it is the server that knows
                    await asyncio.sleep(0.05)
            yield http


async def command(name: str, url: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command of a version on a database."""
    return await asyncio.to_thread(run, name, "--database", url, cwd=cwd)


class Callers:
    """Some post, some ensure, and a supervisor asks how the server is; each but the supervisor insists on success."""

    def __init__(self, http: httpx.AsyncClient, anchor: tuple[str, str]) -> None:
        self.posted = 0
        self.reasons: set[str | None] = set()
        self._http, self._client, self._anchor = http, Client(http), anchor
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Call within the block, and bring what was begun to its end."""
        self._chat_id = str((await ensure(self._client, *self._anchor))["id"])
        async with asyncio.TaskGroup() as tasks:
            for work in (self._post, self._post, self._ensure, self._watch):
                tasks.create_task(self._again_and_again(work))
            try:
                yield
            finally:
                self._ended.set()

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self._ended.is_set():
            await work()
            await asyncio.sleep(0.02)

    async def _post(self) -> None:
        assert (await post(self._client, self._chat_id, "A text"))["__typename"] == "PostMessageSuccess"
        self.posted += 1

    async def _ensure(self) -> None:
        assert (await ensure(self._client, *self._anchor)).get("ensured") == "FOUND"

    async def _watch(self) -> None:
        self.reasons.add((await self._http.get("/readyz")).json().get("reason"))


@on_postgresql
async def test_servers_of_the_version_before_serve_on_while_and_after_the_schema_is_added_to(
    database_url: str, database: Database, anchor: tuple[str, str], tmp_path: Path
) -> None:
    ours, next_version = upgrade.needed(), newer(tmp_path, None, None)
    async with serving(database_url) as http:
        callers = Callers(http, anchor)
        async with callers.going_on():
            migrated = await command("migrate", database_url, next_version)
            assert migrated.stdout == f"The schema went from {ours} to 9002.\n", migrated
            before = callers.posted
            while callers.posted < before + 10:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.02)
        # A machine that does much else may take longer than a supervisor waits; but the schema is never the reason.
        assert callers.reasons <= {None, UNREACHABLE}
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["database"]["schema"]) == (200, "9002")
        # The servers are replaced one by one, and meanwhile there are some of both versions.
        async with serving(database_url, next_version) as other:
            assert (await ensure(Client(other), *anchor))["ensured"] == "FOUND"
            assert (await ensure(Client(http), *anchor))["ensured"] == "FOUND"
    # Back to the version before: its own `migrate` leaves the schema as it is, and its servers start.
    left = await command("migrate", database_url)
    assert (
        left.stdout == "The schema is 9002, from a newer version; this version can serve it, and leaves it unchanged.\n"
    ), left
    async with serving(database_url) as third:
        assert (await ensure(Client(third), *anchor))["ensured"] == "FOUND"
    assert await violations(database) == []
    assert (await command("doctor", database_url)).stdout == "Nothing found.\n"


@pytest.mark.parametrize(
    "database_url", [pytest.param("sqlite", marks=pytest.mark.thorough), "postgresql"], indirect=True
)
async def test_a_schema_that_asks_for_newer_code_takes_older_servers_out_and_says_why(
    database_url: str, anchor: tuple[str, str], tmp_path: Path
) -> None:
    # The last one alone would let ours serve; the one before does not.
    ours, next_version = upgrade.needed(), newer(tmp_path, None, "9002", None)
    reason = (
        f"The database has schema 9003, made by a newer version than this one, which has {ours}. "
        "It can be served from schema 9002 on. Use the newer version."
    )
    async with serving(database_url) as http:
        assert (await command("migrate", database_url, next_version)).returncode == 0
        refused = await http.get("/readyz")
        assert (refused.status_code, refused.json()["reason"]) == (503, reason)
        assert refused.json()["database"]["schema"] == "9003"
        async with serving(database_url, next_version) as other:
            assert (await ensure(Client(other), *anchor))["ensured"] == "CREATED"
    for name, code in {"serve": 1, "migrate": 1, "doctor": 2}.items():
        ended = await command(name, database_url)
        assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", f"marginalia: {reason}\n")


@on_postgresql
async def test_a_migration_that_waits_for_a_lock_does_not_make_others_wait_behind_it(
    database_url: str, database: Database, anchor: tuple[str, str], tmp_path: Path
) -> None:
    next_version = newer(tmp_path, None)
    async with serving(database_url) as http:
        assert (await ensure(Client(http), *anchor))["ensured"] == "CREATED"
        async with database.begin() as session:
            # As a backup does: it reads for long, and nothing may be altered meanwhile.
            await session.execute(text("LOCK TABLE chat_sessions IN ACCESS SHARE MODE"))
            migrating = asyncio.create_task(command("migrate", database_url, next_version))
            await _until_somebody_waits(database)
            for _ in range(10):
                assert (await ensure(Client(http), *anchor))["ensured"] == "FOUND"
            assert not migrating.done()
        assert (await migrating).returncode == 0
        assert (await http.get("/readyz")).status_code == 200


async def _until_somebody_waits(database: Database) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    # The command has to start before it can wait.
    async with asyncio.timeout(40), database.read() as session:
        while not await session.scalar(waiting):  # noqa: ASYNC110 - it is the database that knows
            await asyncio.sleep(0.01)
