"""Repairs beside a transaction that is held before its commit: they wait for it, and leave nothing of it out.

What a transaction of others has written is not seen before its commit; a repair that does not lock first puts in order
what it sees, and what comes to light afterwards is wrong, or has lost its chat.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db import ids
from db.connection.database import Database
from db.doctor.invariants import Rule
from db.doctor.scanner import Scanner
from db.models import ChatSession, Message, Placement, Section
from services import doctor
from tests.support import factories
from tests.support.concurrent_callers import chat_ids, pointer, until_waiting
from tests.support.corruption import allow_two_chats, say
from tests.support.invariants import of_rows, violations

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

OLD, NEW = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))


@asynccontextmanager
async def repairing(database: Database, rule: Rule) -> AsyncIterator[AsyncSession]:
    """Give a transaction that a repair of what breaks a rule, which was found before, has to wait for."""
    patient = Scanner(database)
    (found,) = [finding for check in of_rows().values() async for finding in check(patient) if finding.rule == rule]
    async with database.begin() as session:
        yield session
        repair = asyncio.create_task(doctor.repair(patient, found))
        await until_waiting(database)
    await repair


async def two_chats(database: Database) -> tuple[Section, ChatSession, ChatSession]:
    """Make a section with two chats, in each of which something was said; it points to the newer one."""
    section = await factories.section(database, await factories.document(database), chat_session_id="chat_new")
    await allow_two_chats(database)
    old = await factories.chat(database, section, id="chat_old", created_at=OLD, last_seq=1)
    new = await factories.chat(database, section, id="chat_new", created_at=NEW, last_seq=1)
    await say(database, old, "one", minute=0)
    await say(database, new, "two", minute=1)
    return section, old, new


async def said(database: Database, chat_id: str) -> list[tuple[int, str]]:
    async with database.read() as session:
        found = select(Message.seq, Message.content).where(Message.chat_id == chat_id).order_by(Message.seq)
        return [(seq, content) for seq, content in await session.execute(found)]


@pytest.mark.parametrize("into", ["chat_old", "chat_new"])
async def test_a_merge_waits_for_one_who_posts_and_takes_the_message_over(database: Database, into: str) -> None:
    section, old, _ = await two_chats(database)
    async with repairing(database, Rule.ONE_CHAT_PER_SECTION) as session:
        await factories.post(session, into, "three")
    assert await said(database, old.id) == [(1, "one"), (2, "two"), (3, "three")]
    assert await chat_ids(database, section.id) == [old.id]
    assert await violations(database) == []


async def test_a_merge_waits_for_one_who_opens_another_chat_and_merges_it_too(database: Database) -> None:
    section, old, _ = await two_chats(database)
    async with repairing(database, Rule.ONE_CHAT_PER_SECTION) as session:
        owned = {"workspace_id": "local", "section_id": section.id, "created_by": "somebody"}
        session.add(ChatSession(**owned, id=ids.new(ids.CHAT)))
        await session.flush()
    assert await chat_ids(database, section.id) == [old.id]
    assert await pointer(database, section.id) == old.id
    assert await violations(database) == []


async def test_a_numbering_waits_for_one_who_posts_and_numbers_the_message_too(database: Database) -> None:
    section = await factories.section(database, chat_session_id="chat_old")
    chat = await factories.chat(database, section, id="chat_old", last_seq=5)
    await say(database, chat, "one", "two")
    async with repairing(database, Rule.MESSAGES_NUMBERED) as session:
        assert await factories.post(session, chat.id, "three") == 6
    assert await said(database, chat.id) == [(1, "one"), (2, "two"), (3, "three")]
    assert await violations(database) == []


async def test_new_positions_wait_for_one_who_places_a_section_and_give_it_one_too(database: Database) -> None:
    document = await factories.document(database)
    standing = [(await factories.section(database, document, id=f"sec_{n}")).id for n in range(2)]
    late = await factories.section(database, id="sec_late")
    async with repairing(database, Rule.POSITIONS_DISTINCT) as session:
        assert await (await factories.arrangement(session, document)).place(late.id)
    async with database.read() as session:
        order = select(Placement.section_id).order_by(Placement.position)
        assert list(await session.scalars(order)) == [*standing, late.id]
    assert await violations(database) == []
