"""Legacy files while others write: imports come one after the other, and what collides is told, not half taken in."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from db.connection.database import Database
from db.inserts import insert_if_absent
from db.models import Base, ChatSession, Document, Message, Placement, Section
from services.legacy import BadFile
from tests.api.operations import CREATE_SECTION, create_document
from tests.services.test_legacy import count, said, small, take_in
from tests.support.client import Served
from tests.support.concurrent_callers import until_waiting
from tests.support.invariants import violations
from tests.support.processes import run

KINDS = (Document, Section, Placement, ChatSession, Message)
postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
colliding = pytest.mark.parametrize("row", ["doc_d", "sec_b"])


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """Give another process's way to the database."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@asynccontextmanager
async def holding(database: Database, row: str) -> AsyncIterator[None]:
    """Add a row as a server does, and commit it at the end of the block."""
    added: Base = (
        Document(workspace_id="local", id=row, title="Ours", created_by="ann")
        if row.startswith("doc_")
        else Section(workspace_id="local", id=row, title="Ours", created_by="ann")
    )
    async with database.begin() as session:
        assert await insert_if_absent(session, added, "workspace_id", "id") is not None
        yield


@asynccontextmanager
async def no_messages(database: Database) -> AsyncIterator[None]:
    """Let nobody store messages within the block: whoever imports waits there, with all the rest put in."""
    if database.dialect == "sqlite":
        yield  # one writes after the other in any case
        return
    async with database.begin() as session:
        await session.execute(text("LOCK TABLE messages IN SHARE MODE"))
        yield


async def waiting(database: Database, count: int = 1) -> None:
    """Wait until somebody waits; SQLite does not tell, and there whoever writes waits from the start."""
    if database.dialect == "sqlite":
        await asyncio.sleep(0.1)
    else:
        await until_waiting(database, count)


async def test_of_two_imports_at_once_the_second_finds_what_the_first_has_put_in(
    client: Served, database: Database, other: Database
) -> None:
    async with no_messages(database):
        importing = [asyncio.create_task(take_in(each, small())) for each in (database, other)]
        await waiting(database, 2)
    first, second = sorted([await each for each in importing], key=lambda imported: imported.skipped.total())
    assert first.new == second.skipped == {"documents": 1, "sections": 2, "placements": 2, "chats": 1, "messages": 2}
    assert first.skipped.total() == second.new.total() == 0
    assert await said(client, "chat_one") == [(1, "one 1"), (2, "one 2")]
    assert await violations(database) == []


@postgresql
@colliding
async def test_what_somebody_else_adds_meanwhile_is_told_and_nothing_is_written(
    database: Database, other: Database, row: str
) -> None:
    async with holding(database, row):
        importing = asyncio.create_task(take_in(other, small()))
        await until_waiting(database)
    with pytest.raises(BadFile) as refused:
        await importing
    assert refused.value.problems == ("Another writer added some of these rows meanwhile; import the file again",)
    assert sum([await count(database, kind) for kind in KINDS]) == 1

    imported = await take_in(other, small())
    assert imported.skipped.total() - imported.skipped["placements"] == 1
    assert [await count(database, kind) for kind in KINDS[:2]] == [1, 2]
    assert await violations(database) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@colliding
async def test_on_sqlite_an_import_waits_for_whoever_adds_something_and_finds_it(
    database: Database, other: Database, row: str
) -> None:
    async with holding(database, row):
        importing = asyncio.create_task(take_in(other, small()))
        await waiting(database)
    imported = await importing
    assert imported.skipped["documents" if row == "doc_d" else "sections"] == 1
    assert await violations(database) == []


@postgresql
async def test_the_command_tells_in_plain_words_what_somebody_else_has_added(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.json"
    file.write_text(json.dumps(small()))
    async with holding(database, "sec_b"):
        importing = asyncio.create_task(asyncio.to_thread(run, "import-legacy", str(file), "--database", database_url))
        await until_waiting(database)
    ended = await importing
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        f"{file}: Another writer added some of these rows meanwhile; import the file again",
        "Nothing was imported.",
    ]


@postgresql
async def test_servers_go_on_writing_while_an_import_is_at_work(
    client: Served, database: Database, other: Database
) -> None:
    """What collides with it waits, and is told then that its id is taken."""
    async with no_messages(database):
        importing = asyncio.create_task(take_in(other, small()))
        await until_waiting(database)
        document = await create_document(client)
        assert (await client.http.get("/readyz")).status_code == 200
        taken = asyncio.create_task(client(CREATE_SECTION, docId=document, id="sec_b"))
        await until_waiting(database, 2)
    assert (await importing).new["sections"] == 2
    assert (await taken)["createSection"]["__typename"] == "IdTaken"
