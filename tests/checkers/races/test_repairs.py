"""Repairs beside a server at work: nobody is told otherwise, nothing is lost, and all is right at the end."""

import asyncio
import random
import time

from sqlalchemy import text

from db.connection.database import Database
from db.doctor.scanner import Scanner
from services import doctor
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import ensure, many_sections, place, post, remove
from tests.support.invariants import violations
from tests.support.thorough import thorough

SECONDS, ENOUGH = 20 if thorough() else 2, 12
"""For how long at least, and how much must have been repaired until then: a slow machine takes longer for it."""

PATIENCE = 60

BREAK = (
    "UPDATE sections SET chat_session_id = NULL WHERE id = :id",
    "UPDATE sections SET chat_session_id = 'chat_gone' WHERE id = :id",
    "UPDATE sections SET chat_session_id = (SELECT min(id) FROM chat_sessions) WHERE id = :id",
    "UPDATE chat_sessions SET last_seq = last_seq + 2 WHERE section_id = :id",
    "UPDATE document_sections SET position = 'a0' WHERE section_id = :id",
)


async def test_repairs_go_on_beside_ensures_posts_and_removals(client: Client, database: Database) -> None:
    document = await factories.document(database)
    sections = await many_sections(database, document, 6)
    until = time.monotonic() + SECONDS
    choice = random.Random(1)  # noqa: S311 - a choice, not a secret
    chats: dict[str, str] = {}
    posted: set[str] = set()
    repaired = 0

    def going_on() -> bool:
        return time.monotonic() < until or repaired < ENOUGH

    async def talk() -> None:
        while going_on():
            section_id = choice.choice(sections)
            answer = await ensure(client, document.id, section_id)
            assert answer["__typename"] in {"ChatSession", "SectionNotInDocument"}
            if "id" in answer:
                assert chats.setdefault(section_id, answer["id"]) == answer["id"]
                message = await post(client, answer["id"], "Text")
                assert message["__typename"] == "PostMessageSuccess"
                posted.add(message["postedMessage"]["id"])

    async def arrange() -> None:
        while going_on():
            section_id = choice.choice(sections)
            assert await remove(client, document.id, section_id) in {
                "RemoveSectionSuccess",
                "SectionNotInDocument",
            }
            assert await place(client, document.id, section_id) == "PlaceSectionSuccess"

    async def damage() -> None:
        while going_on():
            async with database.begin() as session:
                await session.execute(text(choice.choice(BREAK)), {"id": choice.choice(sections)})
            await asyncio.sleep(0.02)

    async def heal() -> None:
        nonlocal repaired
        while going_on():
            repaired += await _repair(database)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        for work in (talk, talk, arrange, damage, heal, heal):
            tasks.create_task(work())

    await _repair(database)
    assert await violations(database) == []
    async with database.read() as session:
        assert set(await session.scalars(text("SELECT id FROM messages"))) == posted


async def _repair(database: Database) -> int:
    patient, done = Scanner(database), 0
    for check in doctor.checks().values():
        async for finding in check(patient):
            await doctor.repair(patient, finding)
            done += 1
    return done
