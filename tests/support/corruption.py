"""Broken databases: what no use case of ours leaves behind, made on purpose."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from db.connection.database import Database
from db.models import CHAT_OF_SECTION_KEY, ChatSession, Message
from tests.support import factories

_CHAT = "INSERT INTO chat_sessions (workspace_id, id, section_id, last_seq, created_by, created_at, updated_at)"
_MESSAGE = "INSERT INTO messages"
_MESSAGE += " (workspace_id, id, chat_id, seq, role, author, content, client_id, created_at, updated_at)"

BROKEN = {
    "ONE_CHAT_PER_SECTION a section has one chat": f"{_CHAT}"  # noqa: S608 - our own names
    " SELECT workspace_id, 'chat_2', section_id, 0, created_by, created_at, updated_at FROM chat_sessions",
    "NO_DANGLING_REFERENCE a chat without messages has its section": f"{_CHAT}"  # noqa: S608 - our own names
    " SELECT workspace_id, 'chat_2', 'sec_gone', 0, created_by, created_at, updated_at FROM chat_sessions",
    "NO_DANGLING_REFERENCE a chat with messages has its section": "UPDATE chat_sessions SET section_id = 'sec_gone'",
    "NO_DANGLING_REFERENCE a placement has its document and its section": ""
    "UPDATE document_sections SET document_id = 'doc_gone'",
    "NO_DANGLING_REFERENCE a message has its chat": f"{_MESSAGE}"  # noqa: S608 - our own names
    " SELECT workspace_id, 'msg_2', 'chat_gone', 1, role, author, content, NULL, created_at, updated_at FROM messages",
    "NO_DANGLING_REFERENCE a document whose purge was begun is gone": "INSERT INTO documents"
    " (workspace_id, id, title, tags, metadata, access, version, is_generated, created_by, deleted_at, created_at,"
    " updated_at)"
    " SELECT workspace_id, 'doc_2', '', tags, metadata, access, version, is_generated, created_by,"
    " '1970-01-01 00:00:00.000000', created_at, '2026-01-01 00:00:00.000000' FROM documents",
    "NO_DANGLING_REFERENCE a section whose purge was begun is gone": "UPDATE sections"
    " SET deleted_at = '1970-01-01 00:00:00.000000', updated_at = '2026-01-01 00:00:00.000000' WHERE id = 'sec_2'",
    "ONE_WORKSPACE a chat was opened through a document of its workspace": ""
    "UPDATE chat_sessions SET document_id = 'doc_gone'",
    "NO_WRONG_CHAT_POINTER a pointer names the chat of its section": "UPDATE sections SET chat_session_id = 'chat_1'",
    "NO_MISSING_CHAT_POINTER a section with a chat points to one": "UPDATE sections SET chat_session_id = NULL",
    "MESSAGES_NUMBERED the messages of a chat are numbered 1, 2, 3 without a gap": "UPDATE messages SET seq = 2",
    "MESSAGES_NUMBERED the last number of a chat is that of its last message": "UPDATE chat_sessions SET last_seq = 2",
    "MESSAGES_NUMBERED an author's client id names one message of a chat": f"{_MESSAGE}"  # noqa: S608 - our own names
    " SELECT workspace_id, 'msg_2', chat_id, 2, role, author, content, client_id, created_at, updated_at FROM messages",
    "POSITIONS_DISTINCT the positions in a document are distinct fractional keys": "INSERT INTO document_sections"
    " (workspace_id, document_id, section_id, position, is_copy, since_version, created_at, updated_at)"
    " SELECT workspace_id, document_id, 'sec_2', position, is_copy, since_version, created_at, updated_at"
    " FROM document_sections",
}
"""For each invariant a statement that breaks it."""


async def fill(database: Database) -> None:
    """Store a document with a section and its chat with a message, and a section that stands nowhere."""
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


TABLES = (
    "messages",
    "chat_sessions",
    "former_placements",
    "section_revisions",
    "document_sections",
    "sections",
    "grants",
    "share_links",
    "document_revisions",
    "documents",
)
"""The tables of the data that the doctor checks, referencing tables first."""


async def unconstrain(database: Database) -> None:
    """Take all constraints from all tables."""
    cascade = "CASCADE" if database.dialect == "postgresql" else ""
    async with database.begin() as session:
        for table in TABLES:
            await session.execute(text(f"CREATE TABLE bare AS SELECT * FROM {table}"))  # noqa: S608 - our own names
            await session.execute(text(f"DROP TABLE {table} {cascade}"))
            await session.execute(text(f"ALTER TABLE bare RENAME TO {table}"))


async def allow_two_chats(database: Database) -> None:
    """Take from the chats the constraint that a section has one, and nothing else."""
    if database.dialect == "postgresql":
        async with database.begin() as session:
            await session.execute(text(f"ALTER TABLE chat_sessions DROP CONSTRAINT {CHAT_OF_SECTION_KEY}"))
        return
    for engine in database.engines:
        await engine.dispose()
    with closing(sqlite3.connect(str(database.url.database))) as file:
        made = "SELECT sql FROM sqlite_master WHERE tbl_name = 'chat_sessions' AND sql IS NOT NULL ORDER BY type DESC"
        table, *indexes = [sql for (sql,) in file.execute(made)]
        bare = re.sub(rf",\s*CONSTRAINT {CHAT_OF_SECTION_KEY} UNIQUE \([^)]*\)", "", table)
        assert bare != table
        file.execute("PRAGMA legacy_alter_table = ON")  # what refers to the table goes on to do so
        file.execute("ALTER TABLE chat_sessions RENAME TO before")
        file.execute(bare)
        file.execute("INSERT INTO chat_sessions SELECT * FROM before")
        file.execute("DROP TABLE before")
        for index in indexes:
            file.execute(index)
        file.commit()


async def say(
    database: Database, chat: ChatSession, *texts: str, minute: int = 0, client_id: str | None = None
) -> None:
    """Store messages in a chat one after the other, two minutes apart, and leave its last number as it is."""
    for number, content in enumerate(texts):
        await factories.add(
            database,
            Message(
                workspace_id=chat.workspace_id,
                id=f"msg_{chat.id}_{number}",
                chat_id=chat.id,
                seq=number + 1,
                role="USER",
                author="ann",
                content=content,
                client_id=client_id if number == 0 else None,
                created_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute + 2 * number),
            ),
        )
