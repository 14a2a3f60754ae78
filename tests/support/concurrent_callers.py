"""Many callers at once: what they send, and what must be true of their answers."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select, text

from db import ids, positions
from db.connection.database import Database
from db.models import ChatSession, Document, Placement, Section
from tests.support.client import Client

ENSURE = """
mutation Ensure($docId: ID!, $sectionId: ID!) {
  ensureSectionChat(docId: $docId, sectionId: $sectionId) {
    __typename
    ... on ChatSession { id ensured }
  }
}
"""

PLACE = """
mutation Place($docId: ID!, $sectionId: ID!) {
  placeSection(docId: $docId, sectionId: $sectionId) { __typename }
}
"""

REMOVE = """
mutation Remove($docId: ID!, $sectionId: ID!) {
  removeSection(docId: $docId, sectionId: $sectionId) { __typename }
}
"""

POST = """
mutation Post($chatId: ID!, $content: String!, $clientId: String) {
  postMessage(chatId: $chatId, content: $content, clientId: $clientId) {
    __typename
    ... on PostMessageSuccess { postedMessage { id seq content clientId } }
  }
}
"""


async def ensure(client: Client, document_id: str, section_id: str) -> dict[str, Any]:
    """Ask for the chat of a section and return the answer, whatever it is."""
    answer: dict[str, Any] = (await client(ENSURE, docId=document_id, sectionId=section_id))["ensureSectionChat"]
    return answer


async def place(client: Client, document_id: str, section_id: str) -> str:
    """Place a section and return the kind of the answer."""
    return str((await client(PLACE, docId=document_id, sectionId=section_id))["placeSection"]["__typename"])


async def remove(client: Client, document_id: str, section_id: str) -> str:
    """Take a section out of a document and return the kind of the answer."""
    return str((await client(REMOVE, docId=document_id, sectionId=section_id))["removeSection"]["__typename"])


async def post(client: Client, chat_id: str, content: str, client_id: str | None = None) -> dict[str, Any]:
    """Post a message and return the answer, whatever it is."""
    sent = await client(POST, chatId=chat_id, content=content, clientId=client_id)
    answer: dict[str, Any] = sent["postMessage"]
    return answer


async def ensure_together(
    clients: Sequence[Client], anchors: Iterable[tuple[str, str]], *, times: int
) -> list[dict[str, Any]]:
    """Ask for the chats of anchors all at once, `times` times, the clients and the anchors in turn."""
    asked = list(anchors)
    return await asyncio.gather(
        *(ensure(clients[n % len(clients)], *asked[n // len(clients) % len(asked)]) for n in range(times))
    )


def kinds(answers: Iterable[dict[str, Any]]) -> Counter[str]:
    """Count the answers of ensures: by what was done where there is a chat, otherwise by type."""
    return Counter(answer.get("ensured") or answer["__typename"] for answer in answers)


async def assert_one_chat(database: Database, section_id: str, answers: Sequence[dict[str, Any]]) -> str:
    """Insist that all answers name the one chat of a section, and that the section points to it; return its id."""
    assert {answer["__typename"] for answer in answers} == {"ChatSession"}, kinds(answers)
    chat_id = str(answers[0]["id"])
    assert {answer["id"] for answer in answers} == {chat_id}
    assert await chat_ids(database, section_id) == [chat_id]
    assert await pointer(database, section_id) == chat_id
    return chat_id


async def chat_ids(database: Database, section_id: str) -> list[str]:
    """Read the ids of all chats of a section: more than one would be the end of it all."""
    async with database.read() as session:
        return list(await session.scalars(select(ChatSession.id).where(ChatSession.section_id == section_id)))


async def chats_of(database: Database, section_ids: Sequence[str]) -> list[str | None]:
    """Read the ids of the chats that sections point to, in order."""
    async with database.read() as session:
        rows = await session.execute(select(Section.id, Section.chat_session_id).where(Section.id.in_(section_ids)))
        found = {row.id: row.chat_session_id for row in rows}
    return [found[section_id] for section_id in section_ids]


async def many_sections(database: Database, document: Document, count: int) -> list[str]:
    """Store sections that stand in a document and have no chat, and return their ids in order."""
    keys = [(ids.new(ids.SECTION), position) for position in positions.after(None, count)]
    owned = {"workspace_id": document.workspace_id}
    async with database.begin() as session:
        session.add_all(Section(**owned, id=key, title="A section", created_by="somebody") for key, _ in keys)
        await session.flush()
        session.add_all(
            Placement(**owned, document_id=document.id, section_id=key, position=position) for key, position in keys
        )
    return [key for key, _ in keys]


async def pointer(database: Database, section_id: str) -> str | None:
    """Read the pointer of a section."""
    async with database.read() as session:
        return await session.scalar(select(Section.chat_session_id).where(Section.id == section_id))


async def until_waiting(database: Database, count: int = 1) -> None:
    """Wait until that many connections of a PostgreSQL database wait for a lock: then they are where we want them."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async with asyncio.timeout(10), database.read() as session:
        while await session.scalar(waiting) != count:  # noqa: ASYNC110 - it is the database that knows
            await asyncio.sleep(0.01)
