"""Servers that are killed under load: what they have acknowledged is there, once, and nothing half done is."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from sqlalchemy import select

from db.connection.database import Database
from db.models import ChatSession, Message
from tests.checkers.crashes.callers import Caller, Heard, World
from tests.checkers.crashes.fleet import Fleet
from tests.support import factories, thorough
from tests.support.concurrent_callers import many_sections
from tests.support.invariants import violations

_log = logging.getLogger(__name__)

CALLERS = 16
BETWEEN_KILLS = 2.0
SERVERS = {"postgresql": 3, "sqlite": 2}


async def test_what_servers_that_are_killed_have_acknowledged_is_there_once(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    seconds = thorough.seconds(20 if thorough.thorough() else 5)
    world, heard = await _make_world(database, unopened=int(seconds) * 100), Heard()
    async with (
        Fleet(database_url, tmp_path, SERVERS[database.dialect]).running() as fleet,
        asyncio.TaskGroup() as tasks,
    ):
        deadline = asyncio.get_running_loop().time() + seconds
        tasks.create_task(fleet.kill_until(deadline, BETWEEN_KILLS))
        for number in range(CALLERS):
            tasks.create_task(Caller(number, fleet, world, heard).call_until(deadline))

    acknowledged = sum(heard.answers.values())
    _log.info("%s: %d calls acknowledged, %d kills", database.dialect, acknowledged, fleet.kills)
    _log.info("%s; not answered: %s", dict(sorted(heard.answers.items())), dict(heard.unanswered))
    assert fleet.kills >= seconds / BETWEEN_KILLS - 2
    assert heard.unanswered, "nobody noticed"
    assert acknowledged > 10 * seconds
    assert len(heard.messages) > 2 * seconds
    assert sum(heard.created.values()) > seconds
    async with database.read() as session:
        chats = {chat.section_id: chat.id for chat in await session.scalars(select(ChatSession))}
    assert {section: chats.get(section) for section in heard.chats} == heard.chats
    stored = await _messages(database)
    assert {key: stored.get(key) for key in heard.messages} == heard.messages
    assert len({(each["author"], each["clientId"]) for each in stored.values()}) == len(stored)
    assert await violations(database) == []


async def _make_world(database: Database, unopened: int) -> World:
    documents = [await factories.document(database) for _ in range(2)]
    sections = await many_sections(database, documents[0], 6 + unopened)
    own = []
    for _ in range(CALLERS):
        document = await factories.document(database)
        own.append((document.id, (await factories.section(database, document)).id))
    return World([document.id for document in documents], sections[:6], own, iter(sections[6:]))


async def _messages(database: Database) -> dict[str, dict[str, Any]]:
    async with database.read() as session:
        rows = await session.scalars(select(Message))
        return {
            row.id: {
                "id": row.id,
                "seq": row.seq,
                "content": row.content,
                "clientId": row.client_id,
                "chat": row.chat_id,
                "author": row.author,
            }
            for row in rows
        }
