"""Two processes on one SQLite file, one of them holding the write lock: readers go on, writers wait."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from db.connection.database import Database
from db.models import Document, Section
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import (
    assert_one_chat,
    chat_ids,
    ensure,
    kinds,
    many_sections,
    pointer,
    post,
    remove,
)
from tests.support.invariants import violations

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

READ = """
query Read($docId: ID!, $chatId: ID!) {
  document(id: $docId) { title sections { edges { node { id } } } }
  chatSession(id: $chatId) { messages { edges { node { seq } } } }
}
"""

WHILE = 0.3
"""How many seconds a writer is watched to wait."""


@pytest.fixture
async def document(database: Database) -> Document:
    return await factories.document(database)


@pytest.fixture
async def section(database: Database, document: Document) -> Section:
    return await factories.section(database, document)


@contextmanager
def write_lock(database_url: str) -> Iterator[sqlite3.Connection]:
    """Hold the one write lock of the file, as another process would; leaving the block commits."""
    file = database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


async def test_those_who_read_do_not_wait_for_a_writer(
    client: Client, database_url: str, document: Document, section: Section
) -> None:
    found = await ensure(client, document.id, section.id)
    with write_lock(database_url) as connection:
        connection.execute("UPDATE documents SET title = 'Not committed'")
        async with asyncio.timeout(3):
            answers = await asyncio.gather(*(ensure(client, document.id, section.id) for _ in range(20)))
            read = await client(READ, docId=document.id, chatId=found["id"])
    assert answers == [found | {"ensured": "FOUND"}] * 20
    assert read["document"]["title"] == document.title


async def test_a_first_ensure_waits_for_another_writer_and_opens_the_chat(
    client: Client, database: Database, database_url: str, document: Document, section: Section
) -> None:
    with write_lock(database_url):
        waiting = [asyncio.create_task(ensure(client, document.id, section.id)) for _ in range(3)]
        done, _ = await asyncio.wait(waiting, timeout=WHILE)
        assert not done
    answers = await asyncio.gather(*waiting)
    await assert_one_chat(database, section.id, answers)
    assert kinds(answers) == {"CREATED": 1, "FOUND": 2}


async def test_a_first_ensure_finds_the_chat_that_the_other_writer_opened(
    client: Client, database: Database, database_url: str, document: Document, section: Section
) -> None:
    with write_lock(database_url) as connection:
        connection.execute(
            "INSERT INTO chat_sessions (workspace_id, id, section_id, created_by) VALUES ('local', 'chat_1', ?, 'me')",
            [section.id],
        )
        waiting = asyncio.create_task(ensure(client, document.id, section.id))
        done, _ = await asyncio.wait([waiting], timeout=WHILE)
        assert not done
    # The other writer did not set the pointer, so this is for the one who waited.
    assert await waiting == {"__typename": "ChatSession", "id": "chat_1", "ensured": "REPAIRED"}
    assert await pointer(database, section.id) == "chat_1"


GONE = {
    "removed": ("SectionNotInDocument", "DELETE FROM document_sections"),
    "its document trashed": ("DocumentNotFound", "UPDATE documents SET deleted_at = created_at"),
    "trashed": ("SectionNotFound", "UPDATE sections SET deleted_at = created_at"),
    "its document purged": ("DocumentNotFound", "DELETE FROM document_sections; DELETE FROM documents"),
    "purged": ("SectionNotFound", "DELETE FROM document_sections; DELETE FROM sections"),
}
"""How the one section of the database is taken away, and what those are told who ask for its chat then."""


@pytest.mark.parametrize("gone", GONE)
async def test_a_first_ensure_respects_what_takes_its_section_away_while_it_waits(
    client: Client, database: Database, database_url: str, document: Document, section: Section, gone: str
) -> None:
    refusal, statements = GONE[gone]
    with write_lock(database_url) as connection:
        for statement in statements.split(";"):
            connection.execute(statement)
        waiting = asyncio.create_task(ensure(client, document.id, section.id))
        done, _ = await asyncio.wait([waiting], timeout=WHILE)
        assert not done
    assert (await waiting)["__typename"] == refusal
    assert await chat_ids(database, section.id) == []


async def test_what_was_begun_for_a_caller_who_is_gone_comes_to_its_end(
    serve: Serve, database: Database, database_url: str, document: Document, section: Section
) -> None:
    """The thread of the connection works on in any case; so nobody else may be given that connection meanwhile."""
    async with serve() as client:
        with write_lock(database_url):
            waiting = asyncio.create_task(ensure(client, document.id, section.id))
            await asyncio.sleep(WHILE)
            waiting.cancel()
            assert await chat_ids(database, section.id) == []
        assert (await ensure(client, document.id, section.id))["__typename"] == "ChatSession"
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (chat_id,) = await chat_ids(database, section.id)
    assert await pointer(database, section.id) == chat_id


async def test_a_writer_gets_its_turn_beside_one_that_hardly_pauses(
    serve: Serve, database: Database, database_url: str, document: Document, section: Section
) -> None:
    """The lock is free for a 20th of the time; who asks for it ten times a second only hardly ever finds it so."""
    async with serve(lock_timeout=8) as client:
        chat_id = (await ensure(client, document.id, section.id))["id"]
        begun, done = threading.Event(), threading.Event()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_hardly_pause, database_url, begun, done)
            await asyncio.to_thread(begun.wait)
            try:
                answers = [await post(client, chat_id, f"Message {n}") for n in range(8)]
            finally:
                done.set()
    assert [answer["postedMessage"]["seq"] for answer in answers] == list(range(1, 9))
    assert await violations(database) == []


async def test_those_who_wait_too_long_to_write_are_told_to_try_again(
    serve: Serve, database: Database, database_url: str, document: Document, section: Section
) -> None:
    """A typed answer for each, nothing written, and all as before once the lock is free."""
    (unopened,) = await many_sections(database, document, 1)
    async with serve(lock_timeout=WHILE) as client:
        chat_id = (await ensure(client, document.id, section.id))["id"]
        with write_lock(database_url):
            assert (await ensure(client, document.id, unopened))["__typename"] == "TemporarilyUnavailable"
            assert (await post(client, chat_id, "Text", "one"))["__typename"] == "TemporarilyUnavailable"
            assert await remove(client, document.id, section.id) == "TemporarilyUnavailable"
            answers = await asyncio.gather(*(ensure(client, document.id, unopened) for _ in range(5)))
            assert kinds(answers) == {"TemporarilyUnavailable": 5}
        assert await chat_ids(database, unopened) == []
        assert (await ensure(client, document.id, unopened))["ensured"] == "CREATED"
        assert (await post(client, chat_id, "Text", "one"))["postedMessage"]["seq"] == 1
        assert await remove(client, document.id, section.id) == "RemoveSectionSuccess"
    assert await violations(database) == []


def _hardly_pause(database_url: str, begun: threading.Event, done: threading.Event) -> None:
    """Take the write lock again and again, each time for 40 ms, and let it go for 2 ms."""
    for _ in range(500):
        with write_lock(database_url):
            begun.set()
            time.sleep(0.04)
        if done.wait(0.002):
            return
