"""Many first-time ensures at once, in one process: the section gets one chat, and everybody gets that one."""

import pytest
from sqlalchemy import update

from db.connection.database import Database
from db.models import Document, Section
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import assert_one_chat, chat_ids, chats_of, ensure_together, kinds, many_sections
from tests.support.invariants import violations


@pytest.fixture
async def document(database: Database) -> Document:
    return await factories.document(database)


@pytest.fixture
async def section(database: Database, document: Document) -> Section:
    return await factories.section(database, document)


async def test_a_hundred_first_ensures_open_one_chat(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    answers = await ensure_together([client], [(document.id, section.id)], times=100)
    await assert_one_chat(database, section.id, answers)
    assert kinds(answers) == {"CREATED": 1, "FOUND": 99}


async def test_a_section_of_two_documents_gets_one_chat_from_both_at_once(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    other = await factories.document(database)
    await factories.place(database, other, section)
    answers = await ensure_together([client], [(document.id, section.id), (other.id, section.id)], times=100)
    await assert_one_chat(database, section.id, answers)
    assert kinds(answers) == {"CREATED": 1, "FOUND": 99}


async def test_a_hundred_sections_get_their_chats_at_once(
    client: Client, database: Database, document: Document
) -> None:
    sections = await many_sections(database, document, 100)
    answers = await ensure_together([client], [(document.id, section_id) for section_id in sections], times=100)
    assert kinds(answers) == {"CREATED": 100}
    assert [answer["id"] for answer in answers] == await chats_of(database, sections)
    assert await violations(database) == []


@pytest.mark.parametrize("points_to", ["nothing", "no chat", "another section's chat"])
async def test_a_wrong_pointer_is_repaired_by_exactly_one_of_many(
    client: Client, database: Database, document: Document, section: Section, points_to: str
) -> None:
    """The one whose update changed the row says REPAIRED; who comes later finds the pointer right."""
    chat = await factories.chat(database, section)
    others = await factories.chat(database, await factories.section(database))
    await _point(database, section, {"nothing": None, "no chat": "chat_gone"}.get(points_to, others.id))
    answers = await ensure_together([client], [(document.id, section.id)], times=40)
    assert await assert_one_chat(database, section.id, answers) == chat.id
    assert kinds(answers) == {"REPAIRED": 1, "FOUND": 39}


async def test_a_pointer_to_nothing_does_not_keep_a_chat_from_being_opened_once(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    await _point(database, section, "chat_gone")
    answers = await ensure_together([client], [(document.id, section.id)], times=40)
    await assert_one_chat(database, section.id, answers)
    assert kinds(answers) == {"CREATED": 1, "FOUND": 39}


async def test_those_who_ask_in_vain_at_once_open_nothing(
    client: Client, database: Database, document: Document, section: Section
) -> None:
    elsewhere = await factories.document(database)
    answers = await ensure_together(
        [client], [(elsewhere.id, section.id), ("doc_none", section.id), (document.id, "sec_none")], times=30
    )
    assert kinds(answers) == {"SectionNotInDocument": 10, "DocumentNotFound": 10, "SectionNotFound": 10}
    assert await chat_ids(database, section.id) == []


async def _point(database: Database, section: Section, chat_id: str | None) -> None:
    async with database.begin() as session:
        await session.execute(
            update(Section)
            .where(Section.workspace_id == section.workspace_id, Section.id == section.id)
            .values(chat_session_id=chat_id)
        )
