"""Openings: each chat that is opened is told once to all who follow a document of its section, and to nobody else."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from db import chat_feed
from db.chat_feed import BACKLOG, ChatFeed, ChatSubscription, SlowConsumer
from db.chat_poll import OVERLAP
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.connection.query_stats import collect_query_stats
from db.models import Document, Section
from tests.edge.outages import gone
from tests.support import factories
from tests.support.concurrent_callers import many_sections
from tests.support.counting import counted
from tests.support.quiescence import assert_at_rest

INTERVAL = 0.02
NEVER = 60.0
"""An interval within which no test ends: then a reading takes place when somebody joins, and only then."""


@pytest.fixture
async def feed(database: Database) -> AsyncIterator[ChatFeed]:
    opened = ChatFeed(database, INTERVAL)
    yield opened
    await opened.close()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """Give the database as another process has it."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def document(database: Database) -> Document:
    return await factories.document(database)


@pytest.fixture
async def section(database: Database, document: Document) -> Section:
    return await factories.section(database, document)


async def opened(database: Database, document: Document, section: Section | None = None) -> str:
    """Open the chat of a section as the server does, of a new one unless one is given, and return its id."""
    through = section or await factories.section(database, document)
    return await database.transact(lambda session: factories.open_chat(session, document, through))


async def told(follower: ChatSubscription) -> str:
    """Wait for the next chat that a follower is told, and return its id."""
    async with asyncio.timeout(10):
        return (await anext(follower)).id


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.005)


async def trash(database: Database, document: Document, at: datetime | None) -> None:
    async with database.begin() as session:
        await session.execute(update(Document).where(Document.id == document.id).values(deleted_at=at))


async def test_a_chat_that_another_process_opens_is_told_as_it_is(
    feed: ChatFeed, other: Database, document: Document, section: Section
) -> None:
    follower = await feed.of("local", document.id)
    chat_id = await opened(other, document, section)
    async with asyncio.timeout(10):
        chat = await anext(follower)
    assert (chat.id, chat.section_id, chat.document_id) == (chat_id, section.id, document.id)
    assert (chat.created_by, chat.message_count, chat.ensured) == ("somebody", 0, None)


async def test_each_chat_is_told_once_and_those_from_before_are_not(
    feed: ChatFeed, other: Database, document: Document
) -> None:
    await opened(other, document)
    early = await feed.of("local", document.id)
    first = await opened(other, document)
    assert await told(early) == first
    late = await feed.of("local", document.id)
    rest = [await opened(other, document) for _ in range(3)]
    assert [await told(early) for _ in rest] == rest
    assert [await told(late) for _ in rest] == rest


async def test_a_chat_that_was_there_is_told_only_to_those_who_had_joined(
    database: Database, document: Document
) -> None:
    feed = ChatFeed(database, NEVER)
    early = await feed.of("local", document.id)
    first = await opened(database, document)
    late = await feed.of("local", document.id)
    second = await opened(database, document)
    await feed.of("local", document.id)
    assert [await told(early), await told(early)] == [first, second]
    assert await told(late) == second
    await feed.close()


async def test_a_section_in_several_documents_is_told_in_each(
    feed: ChatFeed, database: Database, other: Database, document: Document, section: Section
) -> None:
    second = await factories.document(database)
    await factories.place(database, second, section)
    followers = [await feed.of("local", place.id) for place in (document, second, second)]
    chat_id = await opened(other, document, section)
    assert [await told(follower) for follower in followers] == [chat_id] * 3


async def test_other_documents_and_other_workspaces_are_not_told(
    feed: ChatFeed, database: Database, other: Database, document: Document
) -> None:
    await factories.workspace(database, "theirs")
    twin = await factories.document(database, workspace_id="theirs", id=document.id)
    ours, theirs = await feed.of("local", document.id), await feed.of("theirs", document.id)
    await opened(other, await factories.document(database))
    chat = await factories.chat(database, await factories.section(database, twin))
    last = await opened(other, document)
    assert await told(ours) == last
    assert await told(theirs) == chat.id
    section = await factories.section(database, document)
    same = await factories.chat(database, section, id=chat.id)
    assert (await told(ours), same.workspace_id) == (chat.id, "local")
    last = await opened(other, twin)
    assert await told(theirs) == last


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_chat_that_is_committed_after_a_later_one_is_told(
    feed: ChatFeed, database: Database, other: Database, document: Document, section: Section
) -> None:
    async with other.begin() as session:
        first = await factories.open_chat(session, document, section)
        follower = await feed.of("local", document.id)
        second = await opened(database, document)
        assert await told(follower) == second
        third = await opened(database, document)
        assert await told(follower) == third
    assert await told(follower) == first
    fourth = await opened(database, document)
    assert await told(follower) == fourth


async def test_a_chat_may_be_committed_as_late_as_an_opening_can_take(
    feed: ChatFeed, database: Database, document: Document, section: Section
) -> None:
    follower = await feed.of("local", document.id)
    now = datetime.now(UTC)
    too_late = await factories.section(database, document)
    await factories.chat(database, too_late, created_at=now - OVERLAP - timedelta(seconds=5))
    late = await factories.chat(database, section, created_at=now - OVERLAP + timedelta(seconds=30))
    assert await told(follower) == late.id
    last = await opened(database, document)
    assert await told(follower) == last


async def test_a_document_in_the_trash_is_silent_and_speaks_again(
    feed: ChatFeed, database: Database, other: Database, document: Document, section: Section
) -> None:
    second = await factories.document(database)
    await factories.place(database, second, section)
    trashed, standing = await feed.of("local", document.id), await feed.of("local", second.id)
    await trash(database, document, datetime.now(UTC))
    assert await opened(other, second, section) == await told(standing)
    await trash(database, document, None)
    last = await opened(other, document)
    assert await told(trashed) == last


@pytest.mark.slow
async def test_an_outage_is_waited_out_and_what_it_hid_is_told(
    database: Database,
    other: Database,
    postgres_server: str,
    document: Document,
    section: Section,
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = ChatFeed(database, 0.1)
    follower = await feed.of("local", document.id)
    with caplog.at_level(logging.INFO, "marginalia.database"):
        async with gone(database, postgres_server):
            away = Database(str(database.url.set(drivername=database.dialect, database=moved(database))))
            hidden = await opened(away, document, section)
            await away.close()
            # Whoever comes now waits for the next try, which fails; the one before it has been logged.
            await until(lambda: len(caplog.records) == 1)
            with pytest.raises(DatabaseUnavailable):
                await feed.of("local", document.id)
        assert await told(follower) == hidden
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    last = await opened(other, document)
    assert await told(follower) == last
    await feed.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_outage_is_over_soon_however_seldom_the_database_is_asked(
    database: Database, postgres_server: str, document: Document, section: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_feed, "MAX_RETRY_INTERVAL_S", 0.05)
    feed = ChatFeed(database, NEVER)
    follower = await feed.of("local", document.id)
    async with gone(database, postgres_server):
        with pytest.raises(DatabaseUnavailable):
            await feed.of("local", document.id)
    chat_id = await opened(database, document, section)
    async with asyncio.timeout(10):
        await feed.of("local", document.id)
    assert await told(follower) == chat_id
    await feed.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_reading_that_does_not_end_is_given_up(
    database: Database,
    feed: ChatFeed,
    other: Database,
    document: Document,
    section: Section,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chat_feed, "POLL_TIMEOUT_S", 0.1)
    follower = await feed.of("local", document.id)
    with caplog.at_level(logging.INFO, "marginalia.database"):
        async with other.begin() as session:
            await session.execute(text("LOCK TABLE chat_sessions IN ACCESS EXCLUSIVE MODE"))
            chat_id = await factories.open_chat(session, document, section)
            await until(lambda: len(caplog.records) > 0)
        assert await told(follower) == chat_id
        await until(lambda: len(caplog.records) > 1)  # logged after the delivery
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    await feed.close()
    await assert_at_rest(database)


def moved(database: Database) -> str:
    """Return where `outages.gone` puts a database."""
    name = str(database.url.database)
    if database.dialect == "postgresql":
        return f"{name}_away"
    folder, _, file = name.rpartition("/")
    return f"{folder.rpartition('/')[0]}/away/{file}"


async def test_a_reader_that_is_gone_leaves_nothing_behind(
    feed: ChatFeed, database: Database, document: Document
) -> None:
    before = asyncio.all_tasks()
    follower = await feed.of("local", document.id)
    closed = await feed.of("local", document.id)
    waiting = asyncio.create_task(told(follower))
    await asyncio.sleep(INTERVAL)
    assert feed.subscribers == 2
    waiting.cancel()
    await closed.aclose()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert feed.subscribers == 0
    assert [chat async for chat in closed] == []
    await until(lambda: asyncio.all_tasks() == before)
    with counted(database) as statements:
        await asyncio.sleep(INTERVAL * 3)
    assert statements == []
    again = await feed.of("local", document.id)
    assert await opened(database, document) == await told(again)


async def test_whoever_is_counted_as_a_follower_is_told(feed: ChatFeed, database: Database, document: Document) -> None:
    joining = asyncio.create_task(feed.of("local", document.id))
    await asyncio.sleep(0)
    assert feed.subscribers == 0
    await until(lambda: feed.subscribers == 1)
    assert await opened(database, document) == await told(await joining)


@pytest.mark.slow
async def test_whoever_goes_while_it_joins_leaves_nothing_behind(
    feed: ChatFeed, database: Database, document: Document
) -> None:
    before = asyncio.all_tasks()
    established = 0
    for steps in range(1_000):
        if steps >= 60 and established:
            break  # at sixty moments, and on a slow machine ever later until somebody came through
        joining = asyncio.create_task(feed.of("local", document.id))
        for _ in range(steps):
            await asyncio.sleep(0.0002)
        joining.cancel()
        await asyncio.wait([joining])
        if not joining.cancelled():
            established += 1
            await joining.result().aclose()
        assert feed.subscribers == 0
    assert 0 < established < 60
    await until(lambda: asyncio.all_tasks() == before)
    await assert_at_rest(database)


async def test_followers_share_one_statement(database: Database, document: Document) -> None:
    await factories.workspace(database, "theirs")
    places = [("local", document.id), ("local", "doc_none"), ("theirs", document.id)]
    feed = ChatFeed(database, NEVER)
    await opened(database, document)
    with counted(database) as statements:
        followers = await asyncio.gather(*(feed.of(*place) for place in places * 100))
    assert len(statements) == 2  # the clock, then what is there
    with counted(database) as statements:
        followers.append(await feed.of("local", document.id))
    assert len(statements) == 1
    chat_id = await opened(database, document)
    with counted(database) as statements:
        followers.append(await feed.of("theirs", "doc_none"))
    assert len(statements) == 3  # what is there, the new chats, their documents
    assert [await told(followers[n]) for n in (0, 3, 297, 300)] == [chat_id] * 4
    assert feed.subscribers == 302
    await feed.close()
    assert feed.subscribers == 0


async def test_idle_followers_cost_one_statement_each_interval(database: Database, document: Document) -> None:
    feed = ChatFeed(database, 0.1)
    for _ in range(20):
        await feed.of("local", document.id)
    with counted(database) as statements:
        await asyncio.sleep(0.35)
    assert 1 <= len(statements) <= 4
    await feed.close()


async def test_the_reading_counts_for_nobody(feed: ChatFeed, database: Database, document: Document) -> None:
    with collect_query_stats() as tally, counted(database) as statements:
        follower = await feed.of("local", document.id)
        chat_id = await opened(database, document)
        before = tally.statements
        assert await told(follower) == chat_id
        seen = len(statements)
        await until(lambda: len(statements) >= seen + 3)
        assert tally.statements == before


async def many_opened(database: Database, document: Document, count: int) -> None:
    """Open the chats of many new sections in one transaction."""
    await many_sections(database, document, count)
    async with database.begin() as session:
        await session.execute(
            text("""
                INSERT INTO chat_sessions (workspace_id, id, section_id, created_by)
                SELECT workspace_id, 'chat_' || id, id, 'somebody' FROM sections
                WHERE id NOT IN (SELECT section_id FROM chat_sessions)
            """)
        )


async def test_whoever_reads_is_told_all_however_many_there_are_at_once(
    feed: ChatFeed, database: Database, document: Document
) -> None:
    follower = await feed.of("local", document.id)
    await many_opened(database, document, BACKLOG + 1)
    await feed.of("local", document.id)  # the reading after the commit has been told
    last = await opened(database, document)
    await feed.of("local", document.id)
    chats = [await told(follower) for _ in range(BACKLOG + 2)]
    assert len(set(chats)) == BACKLOG + 2
    assert chats[-1] == last


async def test_a_follower_that_does_not_read_ends_and_holds_nobody_back(
    feed: ChatFeed, database: Database, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_feed, "SLOW_CONSUMER_TIMEOUT_S", 0.0)
    slow, quick = await feed.of("local", document.id), await feed.of("local", document.id)
    half = BACKLOG // 2 + 1
    for _ in range(2):
        await many_opened(database, document, half)
        assert len({await told(quick) for _ in range(half)}) == half
    assert feed.subscribers == 1
    with pytest.raises(SlowConsumer):
        await told(slow)
    with pytest.raises(StopAsyncIteration):
        await told(slow)


async def test_the_end_of_the_server_ends_all_followers(database: Database, document: Document) -> None:
    before = asyncio.all_tasks()
    feed = ChatFeed(database, NEVER)
    follower, waiting = [await feed.of("local", document.id) for _ in range(2)]
    task = asyncio.create_task(told(waiting))
    joining = asyncio.create_task(feed.of("local", document.id))
    await asyncio.sleep(0)
    await feed.close()
    for end in (task, joining, asyncio.create_task(told(follower)), asyncio.create_task(feed.of("local", "doc"))):
        with pytest.raises(DatabaseUnavailable):
            await end
    assert feed.subscribers == 0
    assert asyncio.all_tasks() == before
    await assert_at_rest(database)


async def test_a_fault_ends_all_followers_and_is_logged_once(
    feed: ChatFeed, database: Database, document: Document, caplog: pytest.LogCaptureFixture
) -> None:
    followers = [await feed.of("local", document.id) for _ in range(2)]
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE chat_sessions RENAME TO no_longer"))
    for follower in followers:
        with pytest.raises(DatabaseUnavailable):
            await told(follower)
    assert [record.levelname for record in caplog.records if record.name == "marginalia.database"] == ["ERROR"]
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE no_longer RENAME TO chat_sessions"))
    follower = await feed.of("local", document.id)
    assert await opened(database, document) == await told(follower)


def test_the_overlap_is_longer_than_an_opening_can_take() -> None:
    statement, idle = timedelta(seconds=30), timedelta(seconds=60)  # the settings of `db/connection/database.py`
    assert statement + idle < OVERLAP
