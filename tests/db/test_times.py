"""Times: aware, in UTC, and read from the clock of the database."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

from sqlalchemy import insert, select, text, update

from db.connection.database import Database
from db.models import Base, Document
from db.times import utcnow
from tests.support import factories
from tests.support.counting import counted

FUNCTION = {"sqlite": "strftime", "postgresql": "statement_timestamp()"}


async def test_times_are_aware_and_in_utc(database: Database) -> None:
    document = await factories.document(database)
    async with database.read() as session:
        now = await session.scalar(select(utcnow()))
    for moment in (document.created_at, document.updated_at, now):
        assert moment is not None
        assert moment.utcoffset() == timedelta()
    assert document.created_at == document.updated_at
    assert abs(datetime.now(UTC) - document.created_at) < timedelta(minutes=1)


async def test_a_time_of_another_zone_is_the_same_moment(database: Database) -> None:
    kathmandu = datetime(2026, 3, 1, 4, 30, 15, 123456, timezone(timedelta(hours=5, minutes=45)))
    document = await factories.document(database, created_at=kathmandu)
    assert document.created_at == kathmandu
    assert document.created_at.utcoffset() == timedelta()
    async with database.read() as session:
        found = await session.scalars(select(Document.id).where(Document.created_at == kathmandu))
        assert found.all() == [document.id]


async def test_the_zone_of_the_server_changes_nothing(database: Database, database_url: str) -> None:
    if database.dialect == "postgresql":
        async with database.begin() as session:
            name = await session.scalar(text("SELECT current_database()"))
            await session.execute(text(f"ALTER DATABASE {name} SET timezone = 'Asia/Kathmandu'"))
    again = Database(
        database.url.render_as_string(hide_password=False).replace("+aiosqlite", "").replace("+asyncpg", "")
    )
    document = await factories.document(again)
    await again.close()
    assert abs(datetime.now(UTC) - document.created_at) < timedelta(minutes=1)
    async with database.read() as session:
        assert await session.scalar(select(Document.created_at)) == document.created_at


async def test_the_times_of_a_new_row_are_not_sent_but_made_by_the_database(database: Database) -> None:
    for table in Base.metadata.tables.values():
        for name in ("created_at", "updated_at"):
            column = table.columns[name]
            assert column.default is None, column
            assert column.server_default is not None, column
    with counted(database) as statements:
        await factories.document(database)
    (inserted,) = [statement for statement in statements if statement.startswith("INSERT")]
    columns = inserted.partition("(")[2].partition(")")[0].split(", ")
    assert "workspace_id" in columns
    assert not {"created_at", "updated_at"} & set(columns)


async def test_a_change_asks_the_clock_of_the_database(database: Database) -> None:
    document = await factories.document(database)
    await asyncio.sleep(0.002)  # the clock of SQLite counts milliseconds
    with counted(database) as statements:
        async with database.begin() as session:
            await session.execute(update(Document).values(updated_at=utcnow()))
    assert any(FUNCTION[database.dialect] in statement for statement in statements)
    async with database.read() as session:
        changed = await session.get_one(Document, ("local", document.id))
    assert changed.created_at == document.created_at
    assert changed.updated_at > document.updated_at


async def test_rows_of_one_statement_have_one_time(database: Database) -> None:
    rows = [
        {"workspace_id": "local", "id": f"doc_{number}", "title": "A", "created_by": "ann"} for number in range(100)
    ]
    async with database.begin() as session:
        times = await session.scalars(insert(Document).values(rows).returning(Document.created_at))
        assert len(set(times)) == 1
