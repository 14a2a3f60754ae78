"""Batches: however many keys, one parameter; and the index of their column serves them."""

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from db.connection.database import Database
from db.models import Section
from db.reading import visibility
from db.reading.sql_arrays import any_of
from db.reading.visibility import Viewer


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_index_finds_the_rows_of_a_batch(database: Database) -> None:
    query = str(
        visibility.sections(Viewer.of_all("local"))
        .where(any_of(Section.id, ["sec_1"]))
        .compile(dialect=sqlite.dialect())
    )
    async with database.read() as session:
        connection = await session.connection()
        plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", ("local", '["sec_1"]'))
        steps = [step for *_, step in plan]
    assert steps[0].endswith("(workspace_id=? AND id=?)"), steps


async def test_a_batch_has_the_rows_of_its_keys_and_no_others(database: Database) -> None:
    async with database.begin() as session:
        for name in "abc":
            await session.execute(
                text("INSERT INTO sections (workspace_id, id, created_by) VALUES ('local', :id, 'me')"), {"id": name}
            )
    async with database.read() as session:
        for keys, found in ((["a", "c", "d"], {"a", "c"}), ([], set[str]())):
            rows = await session.scalars(visibility.sections(Viewer.of_all("local")).where(any_of(Section.id, keys)))
            assert {row.id for row in rows} == found
        others = await session.scalars(visibility.sections(Viewer.of_all("local")).where(~any_of(Section.id, ["a"])))
        assert {row.id for row in others} == {"b", "c"}
