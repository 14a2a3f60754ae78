"""The invariants, tested themselves: each finds what breaks it, and nothing else."""

import pytest
from fractional_indexing import FIError
from sqlalchemy import text

from db import positions
from db.database import Database
from db.invariants import INVARIANTS
from db.models import Message
from tests.support import factories
from tests.support.invariants import violations

BROKEN = {
    "D1 a section has one chat": "INSERT INTO chat_sessions (workspace_id, id, section_id, last_seq, created_at)"
    " SELECT workspace_id, 'chat_2', section_id, 0, created_at FROM chat_sessions",
    "D2 a chat without messages has its section": "INSERT INTO chat_sessions (workspace_id, id, section_id, last_seq)"
    " VALUES ('local', 'chat_2', 'sec_gone', 0)",
    "D2 a chat with messages has its section": "UPDATE chat_sessions SET section_id = 'sec_gone'",
    "D2 a placement has its document and its section": "UPDATE document_sections SET document_id = 'doc_gone'",
    "D2 a message has its chat": "INSERT INTO messages (workspace_id, id, chat_id, seq)"
    " VALUES ('local', 'msg_2', 'chat_gone', 1)",
    "D3 a chat was opened through a document of its workspace": "UPDATE chat_sessions SET document_id = 'doc_gone'",
    "D4 a pointer names the chat of its section": "UPDATE sections SET chat_session_id = 'chat_1'",
    "D5 a section with a chat points to one": "UPDATE sections SET chat_session_id = NULL",
    "D6 the messages of a chat are numbered 1 to its last": "UPDATE messages SET seq = 2",
    "D6 an author's client id names one message of a chat": "INSERT INTO messages"
    " (workspace_id, id, chat_id, seq, author, client_id, created_at)"
    " SELECT workspace_id, 'msg_2', chat_id, 2, author, client_id, created_at FROM messages",
    "D7 the positions in a document are distinct fractional keys": "INSERT INTO document_sections"
    " (workspace_id, document_id, section_id, position) VALUES ('local', 'doc_1', 'sec_2', 'a0')",
}
"""For each invariant a statement that breaks it."""

ALSO = {
    "D2 a chat with messages has its section": {"D4 a pointer names the chat of its section"},
    "D6 an author's client id names one message of a chat": {"D6 the messages of a chat are numbered 1 to its last"},
}
"""What cannot but break along with it."""


@pytest.mark.parametrize("broken", BROKEN)
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


def test_there_is_a_statement_for_every_invariant() -> None:
    assert BROKEN.keys() == {f"{invariant.rule} {invariant.name}" for invariant in INVARIANTS}


@pytest.mark.parametrize("position", ["", "a", "0", "a-", "b0", "Y0", "a00", "á0", "A" + "0" * 26])
async def test_every_position_behind_which_there_is_no_room_is_found(database: Database, position: str) -> None:
    """Shows: the query calls well formed what the library does, which would fail to place a section behind the rest."""
    with pytest.raises((FIError, IndexError, ValueError)):
        positions.after(position)
    await _fill(database)
    async with database.begin() as session:
        await session.execute(text("UPDATE document_sections SET position = :position"), {"position": position})
    assert [line[:2] for line in await violations(database)] == ["D7"]


@pytest.mark.parametrize("position", ["a0", "Zz", "b00", "a0V", "a01", "Y00", "zzzzzzzzzzzzzzzzzzzzzzzzzzz"])
async def test_every_position_that_is_one_is_found_well_formed(database: Database, position: str) -> None:
    await _fill(database)
    async with database.begin() as session:
        await session.execute(text("UPDATE document_sections SET position = :position"), {"position": position})
    assert await violations(database) == []
    assert positions.after(position) > [position]


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
