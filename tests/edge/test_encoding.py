"""Encoding: a PostgreSQL that cannot keep every text is refused as soon as it is in reach."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from db.connection.database import Database
from db.doctor.scanner import Scanner
from db.models import Base
from marginalia import startup
from marginalia.startup import Preparation
from services import doctor
from tests.edge.test_command_line import complaint
from tests.support import postgres
from tests.support.processes import run

LATIN1 = "ENCODING 'LATIN1' LOCALE 'C'"
REMEDY = "createdb --encoding=UTF8 --locale=C --template=template0 NAME"


@pytest.fixture
def latin1_url(postgres_server: str) -> Iterator[str]:
    with postgres.database(postgres_server, "template0", LATIN1) as url:
        yield url


@pytest.mark.parametrize("command", [("migrate",), ("serve", "--port", "0")])
def test_a_database_in_another_encoding_is_refused_with_what_to_do(latin1_url: str, command: tuple[str, ...]) -> None:
    line = complaint(run(*command, "--database", latin1_url))
    assert "LATIN1" in line
    assert line.endswith(REMEDY)


async def test_a_database_that_comes_into_reach_in_another_encoding_is_not_served(
    latin1_url: str, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "RETRY_INTERVAL_S", 0.01)
    name = urlsplit(latin1_url).path.removeprefix("/")
    await postgres.executed(postgres_server, f"DROP DATABASE {name}")
    database = Database(latin1_url)
    preparation = Preparation(database)
    await preparation.begin()
    await preparation.tried()
    assert "LATIN1" not in str(preparation.missing)
    await postgres.executed(postgres_server, f"CREATE DATABASE {name} TEMPLATE template0 {LATIN1}")
    async with asyncio.timeout(60):
        while "LATIN1" not in str(preparation.missing):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
    await preparation.end()
    await database.close()


async def test_the_doctor_finds_another_encoding(latin1_url: str) -> None:
    database = Database(latin1_url)
    await database.run(Base.metadata.create_all)
    found = [each.message async for each in doctor.checks()[doctor.ENCODING](Scanner(database))]
    await database.close()
    assert len(found) == 1
    assert found[0].endswith(REMEDY)


async def test_the_doctor_has_nothing_against_a_database_that_keeps_every_text(database: Database) -> None:
    assert [each async for each in doctor.checks()[doctor.ENCODING](Scanner(database))] == []
