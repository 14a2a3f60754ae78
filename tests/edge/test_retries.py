"""Retries: what was tried again, and what was given up, is in the figures."""

import pytest
from sqlalchemy import text

from db.connection.database import Database
from db.connection.retry import MAX_ATTEMPTS
from tests.conftest import Serve
from tests.support import factories
from tests.support.concurrent_callers import ensure

UNAVAILABLE = {"__typename": "TemporarilyUnavailable"}
ONE_UNAVAILABLE = 'marginalia_database_unavailable_total{type="mutation"} 1.0'

# As if somebody else were always faster: the insert is lost, and what won is not there.
LOSE = (
    "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER lose BEFORE INSERT ON chat_sessions FOR EACH ROW EXECUTE FUNCTION lose()",
)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_was_tried_again_and_what_was_given_up_is_counted(serve: Serve, database: Database) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    async with serve(lock_timeout=0.5) as client:
        async with database.begin() as session:
            await session.execute(text("SELECT 1 FROM sections FOR UPDATE"))
            assert await ensure(client, document.id, section.id) == UNAVAILABLE
        assert ONE_UNAVAILABLE in (await client.http.get("/metrics")).text
    async with database.begin() as session:
        for statement in LOSE:
            await session.execute(text(statement))
    async with serve(lock_timeout=5) as client:
        assert await ensure(client, document.id, section.id) == UNAVAILABLE
        figures = (await client.http.get("/metrics")).text

    assert ONE_UNAVAILABLE in figures
    assert f'marginalia_retries_total{{type="mutation"}} {MAX_ATTEMPTS - 1}.0' in figures
