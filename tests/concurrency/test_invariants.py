"""The invariants, tested themselves: each finds what breaks it, and nothing else."""

import pytest
from sqlalchemy import text

from db.database import Database
from db.models import Message
from tests.support import factories
from tests.support.invariants import INVARIANTS, violations

BROKEN = {
    "D1 a section has one chat": "INSERT INTO chat_sessions (workspace_id, id, section_id, last_seq)"
    " VALUES ('local', 'chat_2', 'sec_1', 0)",
    "D2 a chat has its section": "INSERT INTO chat_sessions (workspace_id, id, section_id, last_seq)"
    " VALUES ('local', 'chat_2', 'sec_gone', 0)",
    "D2 a placement has its document and its section": "UPDATE document_sections SET document_id = 'doc_gone'",
    "D2 a message has its chat": "INSERT INTO messages (workspace_id, id, chat_id, seq)"
    " VALUES ('local', 'msg_2', 'chat_gone', 1)",
    "D3 a chat was opened through a document of its workspace": "UPDATE chat_sessions SET document_id = 'doc_gone'",
    "D4 a pointer names the chat of its section": "UPDATE sections SET chat_session_id = 'chat_1'",
    "D5 a section with a chat points to it": "UPDATE sections SET chat_session_id = NULL",
    "D6 the messages of a chat are numbered 1 to its last": "UPDATE messages SET seq = 2",
    "D6 an author's client id names one message of a chat": "INSERT INTO messages"
    " (workspace_id, id, chat_id, seq, author, client_id) VALUES ('local', 'msg_2', 'chat_1', 2, 'me', 'once')",
    "D7 the positions in a document are distinct": "INSERT INTO document_sections"
    " (workspace_id, document_id, section_id, position) VALUES ('local', 'doc_1', 'sec_2', 'a0')",
    "D7 a position is a fractional key": "UPDATE document_sections SET position = 'a-'",
}
"""For each invariant a statement that breaks it."""

ALSO = {
    "D1 a section has one chat": {"D5 a section with a chat points to it"},
    "D6 an author's client id names one message of a chat": {"D6 the messages of a chat are numbered 1 to its last"},
}
"""What cannot but break along with it."""


@pytest.mark.parametrize("broken", INVARIANTS)
async def test_every_invariant_finds_what_breaks_it(database: Database, broken: str) -> None:
    """Shows: no query of the invariants is blind, on tables that have lost all their constraints."""
    await _fill(database)
    assert await violations(database) == []
    await _unconstrain(database)
    assert await violations(database) == []
    async with database.begin() as session:
        await session.execute(text(BROKEN[broken]))
    found = {line.partition(": ")[0] for line in await violations(database)}
    assert found == {broken} | ALSO.get(broken, set())


async def _fill(database: Database) -> None:
    document = await factories.document(database, id="doc_1")
    section = await factories.section(database, document, id="sec_1", chat_session_id="chat_1")
    await factories.section(database, id="sec_2")
    chat = await factories.chat(database, section, id="chat_1", document_id="doc_1", last_seq=1)
    await factories.add(
        database,
        Message(
            workspace_id="local",
            id="msg_1",
            chat_id=chat.id,
            seq=1,
            role="USER",
            author="me",
            content="",
            client_id="once",
        ),
    )


async def _unconstrain(database: Database) -> None:
    cascade = "CASCADE" if database.dialect == "postgresql" else ""
    async with database.begin() as session:
        for table in ("messages", "chat_sessions", "document_sections", "sections", "documents"):
            await session.execute(text(f"CREATE TABLE bare AS SELECT * FROM {table}"))  # noqa: S608 - our own names
            await session.execute(text(f"DROP TABLE {table} {cascade}"))
            await session.execute(text(f"ALTER TABLE bare RENAME TO {table}"))
