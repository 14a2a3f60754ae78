"""Tests of the tests: with a safeguard taken away, the histories of a load do not pass any more."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack

import pytest
from sqlalchemy import text

from db.anchors import Anchor
from db.connection import retry
from db.connection.database import Database
from services import chats
from tests.checkers.histories.load import Load
from tests.checkers.mutants.test_mutants_ensure import leaving_out, postgresql, sqlite
from tests.conftest import Serve
from tests.support.client import Served

SECONDS = 2.0

on_one = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True
)


@pytest.fixture
async def servers(serve: Serve) -> AsyncIterator[list[Served]]:
    """Serve the database three times over, in one process, where a safeguard can be taken away."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serve()) for _ in range(3)]


async def wrong_without(part: str, servers: list[Served], database: Database) -> list[str]:
    """Return what is wrong where all servers leave a part out of their statements."""
    with ExitStack() as stack:
        changed = [stack.enter_context(leaving_out(server.database, part)) for server in servers]
        load = Load(servers, database)
        await load.run(SECONDS)
        assert all(changed), "no statement had it"
    return load.wrong()


@pytest.mark.thorough  # as the load on several processes finds each time
async def test_with_all_safeguards_nothing_is_wrong(servers: list[Served], database: Database) -> None:
    load = Load(servers, database)
    await load.run(SECONDS)
    await load.run_in_twos(SECONDS / 4)
    assert load.wrong() == []


@postgresql
async def test_a_second_chat_is_found_where_the_constraint_is_gone(servers: list[Served], database: Database) -> None:
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE chat_sessions DROP CONSTRAINT chat_sessions_section_key"))
    wrong = await wrong_without("ON CONFLICT ON CONSTRAINT chat_sessions_section_key DO NOTHING", servers, database)
    assert any("nothing explains ensure" in line for line in wrong)


@on_one
async def test_those_who_lost_and_do_not_look_again_are_found(
    servers: list[Served], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "MAX_ATTEMPTS", 1)
    load = Load(servers, database)
    await load.run(SECONDS)
    assert any(line.startswith("ensure") for line in load.wrong())


@on_one
async def test_those_who_remember_for_a_moment_what_they_read_are_found(
    servers: list[Served], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows: that what was acknowledged is seen by whoever asks next is due to each ensure judging what it has read.

    Here it judges what the one before it had read, however long ago: after so many milliseconds a slow machine forgot.
    """
    refused, remembered = chats._refused, dict[tuple[str, ...], Anchor]()

    def refused_by_the_last(anchor: Anchor, *key: str) -> object:
        before, remembered[key] = remembered.get(key, anchor), anchor
        return refused(before, *key)

    monkeypatch.setattr(chats, "_refused", refused_by_the_last)
    load = Load(servers, database)
    await load.run_in_twos(SECONDS / 2)
    assert any("nothing explains ensure" in line for line in load.wrong())


@sqlite
async def test_those_who_do_not_wait_to_write_are_found(servers: list[Served], database: Database) -> None:
    """Shows: that writers of one file wait for each other is due to BEGIN IMMEDIATE."""
    assert await wrong_without(" IMMEDIATE", servers, database) != []
