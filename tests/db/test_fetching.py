"""Fetches: reads on the driver's connections keep what SQLAlchemy's pool and its handling of errors promise."""

import asyncio
import traceback
from collections.abc import AsyncIterator

import pytest
from asyncpg.exceptions import ConnectionDoesNotExistError, InternalClientError
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError

from db.connection import errors
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from tests.support.quiescence import assert_at_rest
from tests.support.statements import before_statements

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

WORD = "quitenighted"
LONG = {
    "postgresql": "SELECT pg_sleep(60)",
    "sqlite": "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT max(i) FROM n",
}


@pytest.fixture
async def narrow(database_url: str) -> AsyncIterator[Database]:
    """Give a database with one connection for reads."""
    opened = Database(database_url, pool_size=1, lock_timeout=1)
    yield opened
    await opened.close()


async def one(database: Database) -> int:
    ((number,),) = await database.fetch("SELECT 1", ())
    return int(number)


@pytest.mark.slow
async def test_fetches_share_the_connections_of_sessions(narrow: Database) -> None:
    assert await one(narrow) == 1
    async with narrow.read() as session:
        await session.execute(text("SELECT 1"))
        assert narrow.in_use["reading"] == 1
        with pytest.raises(DatabaseUnavailable):
            await one(narrow)
    assert await asyncio.gather(*(one(narrow) for _ in range(5))) == [1] * 5
    assert narrow.in_use == {"reading": 0, "writing": 0}


async def test_what_was_invalidated_is_replaced(narrow: Database) -> None:
    before = []

    async def note(connection: object, _text: str, _parameters: object) -> None:
        before.append(connection)

    with before_statements(narrow, note):
        await one(narrow)
        await one(narrow)
        narrow.invalidate_connections()
        await one(narrow)
    assert before[0] is before[1]
    assert (before[2] is before[0]) == (narrow.dialect == "sqlite")


@on_postgresql
async def test_connections_that_ended_while_they_were_idle_are_replaced(database: Database, database_url: str) -> None:
    used = Database(database_url, pool_size=3)
    asked = "SELECT pg_backend_pid(), pg_sleep(0.05)"
    answers = await asyncio.gather(*(used.fetch(asked, ()) for _ in range(3)))
    async with database.begin() as session:
        for ((process_id, _),) in answers:
            await session.execute(text("SELECT pg_terminate_backend(:id, 5000)"), {"id": process_id})
    await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        assert await asyncio.gather(*(one(used) for _ in range(20))) == [1] * 20
    await used.close()


async def test_whoever_leaves_a_statement_holds_nothing(database: Database, narrow: Database) -> None:
    begun = asyncio.Event()

    async def tell(*_: object) -> None:
        begun.set()

    with before_statements(narrow, tell):
        reading = asyncio.create_task(narrow.fetch(LONG[narrow.dialect], ()))
        await begun.wait()
    await asyncio.sleep(0.02)
    assert narrow.in_use["reading"] == 1
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await assert_at_rest(narrow, database)
    assert await one(narrow) == 1


@on_postgresql
async def test_a_statement_is_prepared_again_when_its_table_has_changed(database: Database) -> None:
    statement = "SELECT * FROM growing"
    async with database.begin() as session:
        await session.execute(text("CREATE TABLE growing (one integer)"))
        await session.execute(text("INSERT INTO growing VALUES (1)"))
    assert [tuple(row) for row in await database.fetch(statement, ())] == [(1,)]
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE growing ADD COLUMN two integer DEFAULT 2"))
    assert [tuple(row) for row in await database.fetch(statement, ())] == [(1, 2)]


@on_postgresql
@pytest.mark.parametrize("statement", ["SELECT $1::INTEGER", "SELECT $1::TEXT::INTEGER"], ids=["driver", "server"])
async def test_an_error_quotes_its_statement_and_no_value(database: Database, statement: str) -> None:
    with pytest.raises(Exception, match="A value does not fit its type") as raised:
        await database.fetch(statement, (WORD,))
    told = "".join(traceback.format_exception(raised.value))
    assert statement in told
    assert WORD not in told


async def test_a_fetch_that_fails_gives_its_connection_back(narrow: Database) -> None:
    for _ in range(3):
        with pytest.raises(Exception, match="nowhere"):
            await narrow.fetch("SELECT * FROM nowhere", ())
    assert await one(narrow) == 1


async def test_a_statement_can_be_held_and_changed_before_it_is_sent(narrow: Database) -> None:
    async def change(_connection: object, statement: str, _parameters: object) -> str:
        await asyncio.sleep(0.001)
        return statement.replace("1", "2")

    with before_statements(narrow, change):
        assert await one(narrow) == 2
        async with narrow.read() as session:
            assert await session.scalar(text("SELECT 1")) == 2
    assert await one(narrow) == 1


@pytest.mark.parametrize(
    "error",
    [
        ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
    ],
)
def test_an_error_is_judged_as_the_driver_raised_it_and_not_by_its_cause(error: Exception) -> None:
    """Shows: a connection that ends while it is made is out of reach, whatever ended it."""
    error.__cause__ = ConnectionResetError()
    adapted = AsyncAdapt_asyncpg_dbapi.Error("it was closed", error)  # type: ignore[no-untyped-call]
    assert all(errors.is_out_of_reach(each) for each in (error, adapted, DBAPIError(None, None, adapted)))
