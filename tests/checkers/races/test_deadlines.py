"""Deadlines: an ensure waits for the database once, from its first moment, and not once for each thing in its way."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select

from db.connection import deadlines
from db.connection.database import Database
from db.connection.deadlines import deadline
from db.connection.errors import DatabaseUnavailable
from db.models import ChatSession, Document, Section
from db.reading.coalescing import MAX_BATCH_SIZE, MAX_IN_FLIGHT, CoalescingLoader
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from services.chats import EnsureSectionChatResult, ensure_section_chat
from services.outcomes import TemporarilyUnavailable
from tests.support import factories

TIMEOUT = 2.0
"""The lock timeout of the server in these tests."""


@pytest.fixture
async def hurried(database_url: str) -> AsyncIterator[Database]:
    """Give the database as a server has it that can write one thing at a time."""
    opened = Database(database_url, pool_size=1, lock_timeout=TIMEOUT)
    yield opened
    await opened.close()


@asynccontextmanager
async def locked(database: Database, document: Document) -> AsyncIterator[None]:
    """Hold what every ensure in a document has to lock, as another process may."""
    async with database.begin() as session:
        await session.execute(select(Document).where(Document.id == document.id).with_for_update())
        yield


async def ensure(database: Database, document: Document, section: Section) -> EnsureSectionChatResult:
    return await ensure_section_chat(Store(database, LOCAL_OWNER), document.id, section.id)


async def test_who_waits_for_a_connection_and_then_for_a_lock_waits_no_longer_than_for_one(
    database: Database, hurried: Database
) -> None:
    document = await factories.document(database)
    sections = [await factories.section(database, document) for _ in range(4)]
    async with locked(database, document):
        ensures = [asyncio.create_task(ensure(hurried, document, section)) for section in sections]
        # One of them waits for the lock, and the others for its connection. When that one gives up, all of them do;
        # otherwise the next one would now wait for the lock, and for as long again.
        await asyncio.wait(ensures, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(TIMEOUT / 2)
        assert [each.done() for each in ensures] == [True] * 4
    assert [await each for each in ensures] == [TemporarilyUnavailable()] * 4
    # And whoever was told so by a server that had not begun: nothing of it is done afterwards.
    await hurried.close()
    async with database.read() as session:
        assert await session.scalar(select(func.count(ChatSession.id))) in (0, 1)
    assert isinstance(await ensure(database, document, sections[0]), ChatSession)


async def test_what_has_not_begun_by_its_deadline_never_does(database: Database) -> None:
    begun = asyncio.Event()
    opened = Database(
        database.url.render_as_string(hide_password=False).replace("+aiosqlite", "").replace("+asyncpg", ""),
        pool_size=1,
    )
    go_on = asyncio.Event()

    async def hold(_session: object) -> None:
        begun.set()
        await go_on.wait()

    holding = asyncio.create_task(opened.transact(hold))
    await begun.wait()
    done = []

    async def work(_session: object) -> None:
        done.append(1)

    with deadline(0.01), pytest.raises(DatabaseUnavailable):
        await opened.transact(work)
    go_on.set()
    await holding
    await opened.transact(hold)  # which comes behind it
    await opened.close()
    assert done == []


async def test_what_has_begun_is_waited_for_unless_it_can_be_repeated(database: Database) -> None:
    await database.transact(lambda session: session.execute(select(1)))
    begun = asyncio.Event()

    async def work(_session: object) -> str:
        begun.set()
        while not deadlines.has_passed():  # noqa: ASYNC110 - it passes by itself
            await asyncio.sleep(0.01)
        return "done"

    # So long that it has begun by then: a connection has been made before.
    with deadline(1.0):
        assert await database.transact(work) == "done"
    go_on, ended = asyncio.Event(), asyncio.Event()

    async def wait(_session: object) -> None:
        await go_on.wait()
        ended.set()

    with deadline(0.2), pytest.raises(DatabaseUnavailable):
        await database.transact(wait, repeatable=True)
    go_on.set()
    async with asyncio.timeout(10):
        await ended.wait()


async def test_who_waits_behind_many_others_waits_no_longer_than_alone() -> None:
    """Shows: while reads do not end, those behind them are not kept until it is their turn, and are not read for."""
    asked: list[Sequence[str]] = []
    never = asyncio.Event()

    async def read(keys: Sequence[str]) -> Mapping[str, str]:
        asked.append(keys)
        await never.wait()
        return {key: key for key in keys}

    gathering = CoalescingLoader(read)
    with deadline(0.01):
        loads = [
            asyncio.create_task(gathering.load(f"{number}")) for number in range(MAX_BATCH_SIZE * MAX_IN_FLIGHT * 3)
        ]
    async with asyncio.timeout(10):
        failed = await asyncio.gather(*loads, return_exceptions=True)
    assert {type(each) for each in failed} == {DatabaseUnavailable}
    assert len(asked) <= MAX_IN_FLIGHT
    never.set()
    assert await gathering.load("next") == "next"
    assert len(asked) <= MAX_IN_FLIGHT + 1
