"""What we promise of an SQLite file: its settings, one writer at a time, and readers who never wait."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.models import Document, Placement
from tests.support import factories
from tests.support.counting import counted

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[Database]:
    """Give the same file to somebody who does not wait long for a lock."""
    opened = Database(database_url, lock_timeout=0.1)
    yield opened
    await opened.close()


async def pragma(session: AsyncSession, name: str) -> object:
    return await session.scalar(text(f"PRAGMA {name}"))


async def test_the_connection_that_writes_is_set_up_as_promised(database: Database) -> None:
    async with database.begin() as session:
        assert await pragma(session, "journal_mode") == "wal"
        assert await pragma(session, "synchronous") == 2  # FULL
        assert await pragma(session, "foreign_keys") == 1
        assert await pragma(session, "busy_timeout") == 20  # a stretch of the whole wait
        assert await pragma(session, "trusted_schema") == 0
        assert await pragma(session, "query_only") == 0


async def test_the_connections_that_read_are_set_up_as_promised(database: Database) -> None:
    async with database.read() as one, database.read() as two:
        for session in (one, two):
            assert await pragma(session, "journal_mode") == "wal"
            assert await pragma(session, "query_only") == 1
            assert await pragma(session, "busy_timeout") == 5_000
            assert await pragma(session, "trusted_schema") == 0


async def test_who_reads_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with database.read() as session:
            await session.execute(text("DELETE FROM documents"))


async def test_a_transaction_takes_the_write_lock_before_it_does_anything(
    database: Database, impatient: Database
) -> None:
    async with database.begin() as session:
        await session.connection()  # begun, and nothing more
        with pytest.raises(DatabaseUnavailable):
            await impatient.transact(lambda other: other.execute(text("DELETE FROM documents")))
    await impatient.transact(lambda other: other.execute(text("DELETE FROM documents")))


async def test_a_transaction_begins_once_and_for_writing(database: Database) -> None:
    with counted(database) as statements:
        await database.transact(lambda session: session.execute(text("DELETE FROM documents")))
    assert statements == ["BEGIN IMMEDIATE", "DELETE FROM documents", "COMMIT"]


async def test_readers_do_not_wait_for_a_writer_and_see_what_is_committed(
    database: Database, impatient: Database
) -> None:
    document = await factories.document(database)
    async with database.begin() as session:
        await session.execute(text("UPDATE documents SET title = 'Changed'"))
        for reader in (database, impatient):
            async with reader.read() as reading:
                assert (await reading.get_one(Document, ("local", document.id))).title == "A document"
    async with impatient.read() as reading:
        assert (await reading.get_one(Document, ("local", document.id))).title == "Changed"


async def test_foreign_keys_are_kept(database: Database) -> None:
    document = await factories.document(database)
    row = Placement(workspace_id="local", document_id=document.id, section_id="sec_missing", position="a0")
    with pytest.raises(IntegrityError):
        await factories.add(database, row)


async def test_who_waits_for_the_lock_gets_it_when_it_is_free(database: Database, database_url: str) -> None:
    patient = Database(database_url)
    async with database.begin() as session:
        await session.execute(text("UPDATE workspaces SET updated_at = created_at"))
        waiting = asyncio.create_task(factories.document(patient))
        await asyncio.sleep(0.2)  # several stretches of waiting
        assert not waiting.done()
    assert (await waiting).title == "A document"
    await patient.close()


async def test_who_waits_in_vain_is_told_in_time_and_may_come_again(database: Database, impatient: Database) -> None:
    async with database.begin() as session:
        await session.connection()
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailable):
                await impatient.transact(lambda other: other.execute(text("DELETE FROM documents")))
            assert 0.1 <= time.monotonic() - started < 4
    await factories.document(impatient)
