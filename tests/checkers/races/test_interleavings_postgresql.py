"""Two transactions side by side on PostgreSQL, one of them held before its commit: who waits, and for what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from db import chats, messages, purges, trash
from db.connection.database import Database
from db.locks import Transaction, lock_for_update
from db.models import ChatSession, Document, Section
from tests.api.test_trash import PURGE_DOCUMENT, PURGE_SECTION, TRASH_DOCUMENT, TRASH_SECTION, move
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
    until_waiting,
)
from tests.support.invariants import violations

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Aborted(Exception):
    """Raised to end a held transaction without its commit."""


@asynccontextmanager
async def aborting(database: Database) -> AsyncIterator[AsyncSession]:
    """Give a transaction that leaving the block aborts."""
    try:
        async with database.begin() as session:
            yield session
            raise Aborted
    except Aborted:
        pass


@pytest.fixture
async def document(database: Database) -> Document:
    return await factories.document(database)


@pytest.fixture
async def section(database: Database, document: Document) -> Section:
    return await factories.section(database, document)


async def taken_out(session: AsyncSession, document: Document, section: Section) -> None:
    """Take a section out of a document as the server does."""
    assert await (await factories.arrangement(session, document)).remove(section.id)


async def test_an_ensure_waits_for_a_creator_and_finds_its_chat(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    async with database.begin() as session:
        chat_id = await factories.open_chat(session, document, section)
        waiting = [asyncio.create_task(ensure(client, document.id, section.id)) for _ in range(3)]
        await until_waiting(database, 3)
    answers = await asyncio.gather(*waiting)
    assert await assert_one_chat(database, section.id, answers) == chat_id
    assert kinds(answers) == {"FOUND": 3}


async def test_when_a_creator_aborts_one_of_those_who_wait_opens_the_chat(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    async with aborting(database) as session:
        aborted = await factories.open_chat(session, document, section)
        waiting = [asyncio.create_task(ensure(client, document.id, section.id)) for _ in range(3)]
        await until_waiting(database, 3)
    answers = await asyncio.gather(*waiting)
    assert await assert_one_chat(database, section.id, answers) != aborted
    assert kinds(answers) == {"CREATED": 1, "FOUND": 2}


async def test_an_ensure_that_waits_too_long_says_so_and_opens_nothing(
    serve: Serve, database: Database, document: Document, section: Section
) -> None:
    async with serve(lock_timeout=0.3) as client:
        async with database.begin() as session:
            chat_id = await factories.open_chat(session, document, section)
            assert (await ensure(client, document.id, section.id))["__typename"] == "TemporarilyUnavailable"
            assert await chat_ids(database, section.id) == []
        assert await ensure(client, document.id, section.id) == {
            "__typename": "ChatSession",
            "id": chat_id,
            "ensured": "FOUND",
        }
    assert await chat_ids(database, section.id) == [chat_id]


async def test_an_ensure_waits_for_a_removal_and_respects_it(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    async with database.begin() as session:
        await taken_out(session, document, section)
        waiting = asyncio.create_task(ensure(client, document.id, section.id))
        await until_waiting(database)
    assert (await waiting)["__typename"] == "SectionNotInDocument"
    assert await chat_ids(database, section.id) == []


async def test_when_a_removal_aborts_the_ensure_that_waits_opens_the_chat(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    async with aborting(database) as session:
        await taken_out(session, document, section)
        waiting = asyncio.create_task(ensure(client, document.id, section.id))
        await until_waiting(database)
    assert (await waiting)["ensured"] == "CREATED"
    await assert_one_chat(database, section.id, [await waiting])


async def test_an_ensure_that_waits_for_a_removal_follows_the_section_put_back(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    """The placement it waits for is gone after the commit; the new one is seen by the next statement only."""
    async with database.begin() as session:
        await taken_out(session, document, section)
        assert await (await factories.arrangement(session, document)).place(section.id)
        waiting = asyncio.create_task(ensure(client, document.id, section.id))
        await until_waiting(database)
    assert (await waiting)["ensured"] == "CREATED"
    await assert_one_chat(database, section.id, [await waiting])


async def test_a_removal_that_waited_for_a_purge_of_the_section_finds_no_section(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    """Not that it does not stand there: there was no moment at which it existed and did not."""
    async with database.begin() as session:
        held = await lock_for_update(Transaction(session, "local"), Section, section.id)
        assert held is not None
        await trash.move_to_trash(Transaction(session, "local"), held)
        held = await purges.lock_section(Transaction(session, "local"), section.id)
        assert held is not None
        await purges.purge_section(Transaction(session, "local"), held)
        waiting = asyncio.create_task(remove(client, document.id, section.id))
        await until_waiting(database)
    assert await waiting == "SectionNotFound"


async def test_a_removal_waits_for_a_creator_and_keeps_its_chat(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    async with database.begin() as session:
        chat_id = await factories.open_chat(session, document, section)
        waiting = asyncio.create_task(remove(client, document.id, section.id))
        await until_waiting(database)
    assert await waiting == "RemoveSectionSuccess"
    assert (await ensure(client, document.id, section.id))["__typename"] == "SectionNotInDocument"
    assert await chat_ids(database, section.id) == [chat_id]
    assert await violations(database) == []


async def test_a_chat_that_is_there_is_found_while_its_placement_is_being_removed(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    """The hot path takes no lock, so it waits for none; one that overlaps a removal may say either."""
    found = await ensure(client, document.id, section.id)
    async with database.begin() as session:
        await taken_out(session, document, section)
        async with asyncio.timeout(3):
            assert await ensure(client, document.id, section.id) == found | {"ensured": "FOUND"}
    assert (await ensure(client, document.id, section.id))["__typename"] == "SectionNotInDocument"


async def test_a_chat_opens_while_the_arrangement_of_its_document_changes(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    other = await factories.section(database)
    async with database.begin() as session:
        assert await (await factories.arrangement(session, document)).place(other.id)
        async with asyncio.timeout(3):
            assert (await ensure(client, document.id, section.id))["ensured"] == "CREATED"


async def test_an_ensure_that_meets_an_edit_of_its_section_loses_neither(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    async with database.begin() as session:
        await session.execute(update(Section).where(Section.id == section.id).values(title="Edited"))
        waiting = asyncio.create_task(ensure(client, document.id, section.id))
        await until_waiting(database)
    assert (await waiting)["ensured"] == "CREATED"
    await assert_one_chat(database, section.id, [await waiting])
    async with database.read() as session:
        assert (await session.get_one(Section, ("local", section.id))).title == "Edited"


async def test_a_repair_waits_for_another_and_leaves_the_word_to_it(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    chat = await factories.chat(database, section)
    async with database.begin() as session:
        written = await chats.write_chats(
            Transaction(session, "local"), document.id, chat_ids={}, wrong=[section.id], created_by="somebody"
        )
        assert written.repaired == {section.id}
        waiting = asyncio.create_task(ensure(client, document.id, section.id))
        await until_waiting(database)
    assert (await waiting)["ensured"] == "FOUND"
    assert await pointer(database, section.id) == chat.id


@pytest.mark.parametrize("commits", [True, False])
async def test_a_number_that_is_not_used_is_given_to_the_next_message(
    client: Client, database: Database, document: Document, section: Section, commits: bool
) -> None:
    chat_id = (await ensure(client, document.id, section.id))["id"]
    async with database.begin() if commits else aborting(database) as session:
        assert await messages.next_number(Transaction(session, "local"), chat_id) == 1
        if commits:
            await session.execute(update(ChatSession).where(ChatSession.id == chat_id).values(last_seq=0))
        waiting = asyncio.create_task(post(client, chat_id, "Text"))
        await until_waiting(database)
    assert (await waiting)["postedMessage"]["seq"] == 1
    assert await violations(database) == []


@pytest.mark.parametrize(("trashing", "purging"), [(TRASH_DOCUMENT, PURGE_DOCUMENT), (TRASH_SECTION, PURGE_SECTION)])
async def test_a_purge_waits_for_one_who_posts_and_takes_the_message_along(
    client: Client, database: Database, document: Document, section: Section, trashing: str, purging: str
) -> None:
    """Shows: the chats are locked before their messages are deleted, which would leave out the one on its way."""
    chat_id = (await ensure(client, document.id, section.id))["id"]
    row_id = document.id if trashing == TRASH_DOCUMENT else section.id
    async with database.begin() as session:
        assert await factories.post(session, chat_id, "Late") == 1
        await move(client, trashing, row_id)
        waiting = asyncio.create_task(move(client, purging, row_id))
        await until_waiting(database)
    purged = await waiting
    assert purged["__typename"] == f"P{purging[1:]}Success"
    assert (purged["chatCount"], purged["messageCount"]) == (1, 1)
    assert await violations(database) == []


async def test_what_was_begun_for_a_caller_who_is_gone_comes_to_its_end(
    serve: Serve, database: Database, document: Document, section: Section
) -> None:
    async with serve() as client, aborting(database) as session:
        await factories.open_chat(session, document, section)
        waiting = asyncio.create_task(ensure(client, document.id, section.id))
        await until_waiting(database)
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (chat_id,) = await chat_ids(database, section.id)
    assert await pointer(database, section.id) == chat_id


async def test_those_who_wait_do_not_keep_others_from_finding_their_chats(
    serve: Serve, database: Database, document: Document, section: Section
) -> None:
    """Whoever waits for a lock holds a connection; those who only read must have others."""
    (other,) = await many_sections(database, document, 1)
    async with serve(pool_size=3) as client:
        found = await ensure(client, document.id, other)
        async with database.begin() as session:
            chat_id = await factories.open_chat(session, document, section)
            waiting = [asyncio.create_task(ensure(client, document.id, section.id)) for _ in range(3)]
            await until_waiting(database, 3)
            async with asyncio.timeout(3):
                assert await ensure(client, document.id, other) == found | {"ensured": "FOUND"}
        assert {answer["id"] for answer in await asyncio.gather(*waiting)} == {chat_id}
