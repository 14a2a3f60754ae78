"""The hot path as PostgreSQL itself sees it: one statement, no transaction around it, no trace left."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from db.database import Database
from tests.concurrency.together import ensure_together, kinds
from tests.support import factories
from tests.support.client import Client

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
async def anchor(client: Client, database: Database) -> tuple[str, str]:
    """Open a chat, so that what follows finds it."""
    document = await factories.document(database)
    section = await factories.section(database, document)
    await ensure_together([client], [(document.id, section.id)], times=1)
    return document.id, section.id


async def test_a_hundred_ensures_that_find_the_chat_write_and_lock_nothing(
    client: Client, database: Database, anchor: tuple[str, str]
) -> None:
    before = await _row_versions(database)
    assert kinds(await ensure_together([client], [anchor], times=100)) == {"FOUND": 100}
    assert await _row_versions(database) == before


async def test_after_an_ensure_that_finds_the_chat_nothing_is_sent_to_end_a_transaction(
    client: Client, database: Database, anchor: tuple[str, str]
) -> None:
    """The server remembers the last statement of each connection: of one in a transaction, its COMMIT or ROLLBACK."""
    await ensure_together([client], [anchor], times=20)
    last = await _rows(
        database,
        "SELECT split_part(query, ' ', 1) AS verb, state FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    )
    assert {row.state for row in last} == {"idle"}
    # What opened the chat ended with a COMMIT, and what stored the rows before it.
    assert sorted(row.verb for row in last if row.verb != "SELECT") == ["COMMIT;", "COMMIT;"]
    assert "SELECT" in {row.verb for row in last}


async def _row_versions(database: Database) -> list[Sequence[Any]]:
    """Read where each row lies and which transactions wrote or locked it: any write changes one of these."""
    tables = ("documents", "sections", "document_sections", "chat_sessions", "workspaces")
    return [await _rows(database, f"SELECT ctid::text, xmin::text, xmax::text FROM {table}") for table in tables]  # noqa: S608 - our own names


async def _rows(database: Database, query: str) -> Sequence[Any]:
    async with database.read() as session:
        return (await session.execute(text(query))).all()
