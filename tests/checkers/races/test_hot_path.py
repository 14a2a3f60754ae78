"""The hot path as PostgreSQL itself sees it: one statement, no transaction around it, no trace left."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from db.connection.database import Database
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.concurrent_callers import ensure, ensure_together, kinds
from tests.support.counting import counted
from tests.support.thorough import thorough

pytestmark = [pytest.mark.fresh, pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)]


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


async def test_thousands_of_ensures_that_find_the_chat_leave_no_trace(
    client: Served, database: Database, anchor: tuple[str, str]
) -> None:
    """H9, as PostgreSQL counts: no tuple written or dead, no transaction id taken, one statement each, no BEGIN."""
    calls = 10_000 if thorough() else 1_000
    before, first = await _traces(client.database, database), await _next_transaction(database)
    with counted(client.database) as statements:
        # One after the other: those at once would share a statement.
        for _ in range(calls):
            assert (await ensure(client, *anchor))["ensured"] == "FOUND"
    assert len(statements) == calls
    assert {statement.split()[0] for statement in statements} == {"SELECT"}
    last = await _next_transaction(database)
    assert await _traces(client.database, database) == before
    # The ids are those of the whole server, where now and then a cleaner takes one; a hundredth of ours would be more.
    assert last - first < calls // 100


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


async def _traces(*databases: Database) -> Sequence[Any]:
    """Read what PostgreSQL has counted of writing so far."""
    for each in databases:
        # A connection tells of its counts at its end, otherwise when it has been idle for a while.
        await each.close()
    others = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    async with asyncio.timeout(10):
        while await _rows(databases[-1], others):  # noqa: ASYNC110 - it is the database that knows
            await asyncio.sleep(0.01)
    return await _rows(
        databases[-1],
        "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del, n_tup_hot_upd, n_dead_tup, n_mod_since_analyze"
        " FROM pg_stat_user_tables ORDER BY relname",
    )


async def _next_transaction(database: Database) -> int:
    ((number,),) = await _rows(database, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    return int(number)


async def _row_versions(database: Database) -> list[Sequence[Any]]:
    """Read where each row lies and which transactions wrote or locked it: any write changes one of these."""
    tables = ("documents", "sections", "document_sections", "chat_sessions", "workspaces")
    return [await _rows(database, f"SELECT ctid::text, xmin::text, xmax::text FROM {table}") for table in tables]  # noqa: S608 - our own names


async def _rows(database: Database, query: str) -> Sequence[Any]:
    async with database.read() as session:
        return (await session.execute(text(query))).all()
