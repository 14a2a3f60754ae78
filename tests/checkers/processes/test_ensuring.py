"""Several server processes on one database: what one process promises, all of them promise together."""

from sqlalchemy import update

from db.connection.database import Database
from db.models import Section
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import assert_one_chat, chats_of, ensure_together, kinds, many_sections
from tests.support.invariants import violations
from tests.support.thorough import thorough

ROUNDS = 50 if thorough() else 2
AT_ONCE = 200


async def test_two_hundred_first_ensures_from_four_processes_open_one_chat(
    clients: list[Client], database: Database
) -> None:
    document = await factories.document(database)
    for section_id in await many_sections(database, document, ROUNDS):
        answers = await ensure_together(clients, [(document.id, section_id)], times=AT_ONCE)
        await assert_one_chat(database, section_id, answers)
        assert kinds(answers) == {"CREATED": 1, "FOUND": AT_ONCE - 1}
    assert await violations(database) == []


async def test_two_hundred_ensures_from_four_processes_agree_wherever_the_section_stands_and_points(
    clients: list[Client], database: Database
) -> None:
    """Of one that stands in two documents; of one that points to nothing; of fifty at once."""
    document, other = await factories.document(database), await factories.document(database)
    sections = await many_sections(database, document, 52)

    shared = sections.pop()
    await factories.place(database, other, await _row(database, shared))
    answers = await ensure_together(clients, [(document.id, shared), (other.id, shared)], times=AT_ONCE)
    await assert_one_chat(database, shared, answers)
    assert kinds(answers) == {"CREATED": 1, "FOUND": AT_ONCE - 1}

    dangling = sections.pop()
    chat = await factories.chat(database, await _row(database, dangling))
    async with database.begin() as session:
        await session.execute(update(Section).where(Section.id == dangling).values(chat_session_id="chat_gone"))
    answers = await ensure_together(clients, [(document.id, dangling)], times=AT_ONCE)
    assert await assert_one_chat(database, dangling, answers) == chat.id
    assert kinds(answers) == {"REPAIRED": 1, "FOUND": AT_ONCE - 1}

    answers = await ensure_together(clients, [(document.id, section_id) for section_id in sections], times=AT_ONCE)
    assert kinds(answers) == {"CREATED": 50, "FOUND": 150}
    assert {answer["id"] for answer in answers} == set(await chats_of(database, sections))
    assert await violations(database) == []


async def _row(database: Database, section_id: str) -> Section:
    async with database.read() as session:
        return await session.get_one(Section, ("local", section_id))
