"""Plans: how much of large tables an operation visits, on a server that has planned its statements on small ones."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import text

from benchmarks import large_data
from benchmarks.large_data import document_id, section_id
from db.connection.database import Database
from tests.api.operations import create_document, create_section, ensure_chat, post_message
from tests.conftest import Serve
from tests.support import postgres, processes
from tests.support.client import Served
from tests.support.statements import before_statements

SECTIONS = 20_000
"""How many there are once the tables are filled; 50 chats have 400 messages, and one has 20,000."""

ENSURE = """
mutation ($docId: ID!, $sectionId: ID!) {
  ensureSectionChat(docId: $docId, sectionId: $sectionId) { ... on ChatSession { id section { id } document { id } } }
}
"""

CHATS = """
query ($docId: ID!) {
  document(id: $docId) {
    sections(first: 50) { edges { node { chat { id messages(last: 3) { edges { node { seq } } } } } } }
  }
}
"""

OLDEST = """
query ($docId: ID!) {
  document(id: $docId) {
    sections(first: 1) { edges { node { chat { id messages(first: 3) { edges { node { seq } } } } } } }
  }
}
"""

DOCUMENTS = """
query ($docId: ID!) {
  document(id: $docId) { sections(first: 50) { edges { node { documents(first: 3) { edges { node { id } } } } } } }
}
"""

SECTIONS_OF_DOCUMENTS = """
{ documents(first: 20) { edges { node { sections(first: 3) { edges { node { id } } } } } } }
"""

NODES = """
query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Message { chat { id } } ... on ChatSession { section { id } } } }
"""

IDS = [
    id
    for number in range(51, 70)
    for id in (document_id(number), section_id(number), f"chat_{100_000_000 + number}", f"msg_{number}_3")
]

POST = """
mutation ($chatId: ID!) {
  postMessage(chatId: $chatId, content: "Again") { ... on PostMessageSuccess { postedMessage { seq } } }
}
"""

ASKED: dict[str, tuple[str, Callable[[str, str, str], dict[str, Any]], dict[str, Any], int]] = {
    "a hot ensure": (
        ENSURE,
        lambda doc, sec, chat: {"docId": doc, "sectionId": sec},
        {"docId": document_id(100), "sectionId": section_id(99 * 50 + 7)},
        40,
    ),
    "a page of sections with chats and messages": (
        CHATS,
        lambda doc, sec, chat: {"docId": doc},
        {"docId": document_id(2)},
        1_500,
    ),
    "a page of the longest chat": (
        OLDEST,
        lambda doc, sec, chat: {"docId": doc},
        {"docId": document_id(3)},
        60,
    ),
    "the documents of sections": (
        DOCUMENTS,
        lambda doc, sec, chat: {"docId": doc},
        {"docId": document_id(399)},
        1_000,
    ),
    "the sections of documents": (SECTIONS_OF_DOCUMENTS, lambda doc, sec, chat: {}, {}, 1_000),
    "nodes of every kind": (NODES, lambda doc, sec, chat: {"ids": [doc, sec, chat]}, {"ids": IDS}, 1_500),
    "a post": (POST, lambda doc, sec, chat: {"chatId": chat}, {"chatId": "chat_100000060"}, 120),
}
"""An operation, its variables on small tables and on large ones, and how many blocks PostgreSQL may look at.

One that writes comes last.
"""


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[Served]:
    # One connection: PostgreSQL keeps the plans of each apart, and only one that was used often has planned for good.
    async with serve(pool_size=1) as serving:
        yield serving


@pytest.fixture
async def warm(client: Served) -> tuple[str, str, str]:
    """Make a few sections with chats and messages, and return the ids of one."""
    for _ in range(3):
        document = await create_document(client)
        for _ in range(3):
            section = await create_section(client, document)
            chat = await ensure_chat(client, document, section)
            await post_message(client, chat, "Hello")
    return document, section, chat


@pytest.mark.slow
@pytest.mark.fresh
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_server_that_was_warm_before_a_bulk_load_visits_what_it_needs(
    client: Served, database: Database, database_url: str, warm: tuple[str, str, str]
) -> None:
    await postgres.executed(database_url, "ANALYZE")
    for operation, small, _, _ in ASKED.values():
        for _ in range(10):
            await client(operation, **small(*warm))
    await asyncio.to_thread(large_data.fill, database_url, SECTIONS)
    # Statistics of the small tables say that each chat has one message: then the index of the client ids looks as good
    # as that of the numbers, and all messages of a long chat are sorted. So this one is asked when they are renewed.
    late = "a page of the longest chat"
    for name in [*(name for name in ASKED if name != late), late]:
        operation, _, large, most = ASKED[name]
        if name == late:
            await postgres.executed(database_url, "ANALYZE")
        await _flush(client.database)
        before = await _blocks(database)

        await client(operation, **large)

        await _flush(client.database)
        assert await _blocks(database) - before <= most, name


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("analyzed", [False, True])
async def test_sqlite_visits_what_an_operation_needs(
    client: Served, database_url: str, warm: tuple[str, str, str], analyzed: bool
) -> None:
    await asyncio.to_thread(large_data.fill, database_url, SECTIONS)
    if analyzed:
        await asyncio.to_thread(large_data.analyze, database_url)
    sent: list[tuple[str, Any]] = []

    async def note(_connection: Any, statement: str, parameters: Any) -> None:
        sent.append((statement, parameters))

    for name, (operation, _, large, most) in ASKED.items():
        sent.clear()
        with before_statements(client.database, note, reads_only=True):
            await client(operation, **large)

        # About 30 instructions of its virtual machine for each row that an operation needs.
        assert sent, name
        assert _steps(database_url, sent) <= 30 * most, name


async def _flush(database: Database) -> None:
    """Have the connections of a server tell what they have counted, each for itself, without an end of any."""
    for engine in database.engines:
        idle = engine.pool.checkedin()  # type: ignore[attr-defined] # a queue of connections
        connections = [await engine.connect() for _ in range(idle)]
        for connection in connections:
            await connection.execute(text("SELECT pg_stat_force_next_flush()"))
            await connection.commit()
            await connection.close()


async def _blocks(database: Database) -> int:
    """Read how many blocks of tables and indexes have been looked at."""
    columns = ("heap_blks_read", "heap_blks_hit", "idx_blks_read", "idx_blks_hit")
    async with database.read() as session:
        return int(
            await session.scalar(
                text(f"SELECT sum({' + '.join(f'coalesce({name}, 0)' for name in columns)}) FROM pg_statio_user_tables")  # noqa: S608
            )
            or 0
        )


def _steps(url: str, sent: list[tuple[str, Any]]) -> int:
    """Count what SQLite does for statements, in hundreds of instructions of its virtual machine."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 100
        return 0

    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        connection.set_progress_handler(step, 100)
        for statement, parameters in sent:
            connection.execute(statement, parameters).fetchall()
    finally:
        connection.close()
    return count


async def test_a_legacy_import_analyzes_what_it_filled(database: Database, database_url: str) -> None:
    imported = await asyncio.to_thread(
        processes.run, "import-legacy", "docs/legacy-sample.json", "--database", database_url
    )
    assert imported.returncode == 0, imported.stderr
    known = {
        "sqlite": "SELECT count(DISTINCT tbl) FROM sqlite_stat1",
        "postgresql": "SELECT count(DISTINCT tablename) FROM pg_stats WHERE schemaname = 'public'",
    }
    async with database.read() as session:
        assert await session.scalar(text(known[database.dialect])) >= 5
