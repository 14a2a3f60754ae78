"""Tests of the tests: with a safeguard taken away, the checks of the other modules fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from db.connection import retry
from db.connection.database import Database
from db.models import Document, Section
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.concurrent_callers import assert_one_chat, ensure, ensure_together, kinds
from tests.support.invariants import violations
from tests.support.statements import before_statements

postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@contextmanager
def leaving_out(database: Database, part: str) -> Iterator[list[str]]:
    """Take a part out of every statement before it is sent, and collect the statements that had it."""
    changed: list[str] = []

    async def without(_connection: Any, sent: str, _parameters: Any) -> str:
        if part in sent:
            changed.append(sent)
        return sent.replace(part, "")

    with before_statements(database, without):
        yield changed


@pytest.fixture
async def document(database: Database) -> Document:
    return await factories.document(database)


@pytest.fixture
async def section(database: Database, document: Document) -> Section:
    return await factories.section(database, document)


async def test_without_the_second_look_those_who_lost_get_no_chat(
    client: Client, database: Database, document: Document, section: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows: that everybody gets the chat is due to the next round after a lost insert."""
    monkeypatch.setattr(retry, "MAX_ATTEMPTS", 1)
    answers = await ensure_together([client], [(document.id, section.id)], times=100)
    assert set(kinds(answers)) >= {"CREATED", "TemporarilyUnavailable"}
    with pytest.raises(AssertionError):
        await assert_one_chat(database, section.id, answers)


@postgresql
async def test_without_its_constraint_a_section_gets_several_chats(
    client: Served, database: Database, document: Document, section: Section
) -> None:
    """Shows: one chat is due to the constraint, not to luck, and both checks see a second one."""
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE chat_sessions DROP CONSTRAINT chat_sessions_section_key"))
    with leaving_out(client.database, "ON CONFLICT ON CONSTRAINT chat_sessions_section_key DO NOTHING"):
        answers = await ensure_together([client], [(document.id, section.id)], times=100)
    assert kinds(answers)["CREATED"] > 1
    with pytest.raises(AssertionError):
        await assert_one_chat(database, section.id, answers)
    assert any(line.startswith("ONE_CHAT_PER_SECTION") for line in await violations(database))


@postgresql
async def test_without_the_row_locks_a_chat_opens_where_a_section_is_being_removed(
    client: Served, database: Database, document: Document, section: Section
) -> None:
    """Shows: that an ensure waits for a removal is due to FOR KEY SHARE."""
    async with database.begin() as session:
        await session.execute(text("DELETE FROM document_sections WHERE section_id = :id"), {"id": section.id})
        with leaving_out(client.database, "FOR KEY SHARE OF documents, document_sections, sections") as changed:
            answer = await ensure(client, document.id, section.id)
    assert len(changed) == 1
    assert answer["ensured"] == "CREATED"


@sqlite
async def test_without_the_immediate_lock_an_ensure_fails_beside_another_writer(
    client: Served, database: Database, document: Document, section: Section
) -> None:
    """Shows: that an ensure waits for another process that writes is due to BEGIN IMMEDIATE."""
    async with database.begin() as session:
        await session.connection()  # begun, and nothing more
        with leaving_out(client.database, " IMMEDIATE") as changed:
            answer = await ensure(client, document.id, section.id)
    assert len(changed) == 1
    assert answer["__typename"] == "TemporarilyUnavailable"
