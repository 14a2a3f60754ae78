"""The world that faults strike: made anew in a moment, and read so that two states can be compared."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

from db.connection.database import Database
from tests.checkers.faults.commands import GONE, OTHER, TRASHED, WHOLE

_TABLES = (
    *("messages", "chat_sessions", "document_sections", "former_placements", "section_revisions"),
    *("document_revisions", "sections", "documents"),
)

_SECTIONS = {
    "sec_found": "chat_found",
    "sec_wrong": "chat_none",
    "sec_bare": None,
    "sec_late": "chat_none",
    "sec_gone": "chat_gone",
    TRASHED: "chat_trashed",
}
_CHATS = {"sec_found": "chat_found", "sec_wrong": "chat_wrong", "sec_gone": "chat_gone", TRASHED: "chat_trashed"}

_SHAPE = (
    "SELECT id, deleted_at IS NULL AS there FROM documents ORDER BY id",
    # Which chat a section points to is compared by the section that chat is of.
    "SELECT CASE WHEN s.id LIKE 'sec_0%' THEN s.title ELSE s.id END AS name, s.deleted_at IS NULL AS there,"
    " c.section_id FROM sections s LEFT JOIN chat_sessions c ON c.id = s.chat_session_id ORDER BY name",
    "SELECT document_id, position, CASE WHEN section_id LIKE 'sec_0%' THEN '' ELSE section_id END"
    " FROM document_sections ORDER BY document_id, position",
    "SELECT section_id, document_id, last_seq FROM chat_sessions ORDER BY section_id",
    "SELECT c.section_id, m.seq, m.content, m.client_id FROM messages m"
    " JOIN chat_sessions c ON c.id = m.chat_id ORDER BY c.section_id, m.seq",
)


def _rows_of_world() -> Iterator[tuple[str, dict[str, Any]]]:
    placed = [(WHOLE, key) for key in _SECTIONS if key != "sec_gone"] + [(OTHER, "sec_found"), (GONE, "sec_gone")]
    by = {"created_by": "somebody"}
    for key in (WHOLE, OTHER, GONE):
        yield "documents", {"id": key, "title": key, **by}
    for key, pointer in _SECTIONS.items():
        yield "sections", {"id": key, "title": key, "chat_session_id": pointer, **by}
    for number, (document, section) in enumerate(placed):
        yield "document_sections", {"document_id": document, "section_id": section, "position": f"a{number}"}
    for section, chat in _CHATS.items():
        document = GONE if section == "sec_gone" else WHOLE
        yield "chat_sessions", {"id": chat, "section_id": section, "document_id": document, "last_seq": 1, **by}
    for chat in _CHATS.values():
        of_chat = {"id": f"msg_{chat}", "chat_id": chat, "seq": 1, "role": "USER"}
        yield "messages", {**of_chat, "author": "local", "content": "Old", "client_id": "old"}


def _literal(value: str | int | None) -> str:
    return "NULL" if value is None else f"'{value}'"


def _world() -> Iterator[str]:
    """Return the statements that make the world. There is no quote in its texts."""
    for table in _TABLES:
        yield f"DELETE FROM {table}"  # noqa: S608 - our own names and texts, here and below
    for table, row in _rows_of_world():
        values = ", ".join(map(_literal, row.values()))
        yield f"INSERT INTO {table} (workspace_id, {', '.join(row)}) VALUES ('local', {values})"  # noqa: S608
    for table, key in (("documents", GONE), ("sections", TRASHED)):
        yield f"UPDATE {table} SET deleted_at = created_at WHERE id = '{key}'"  # noqa: S608


_WORLD = ";\n".join(["BEGIN", *_world(), "COMMIT"])


def _make_in_file(database: Database) -> None:
    with _file(database) as file:
        file.executescript(_WORLD)


async def make(database: Database) -> None:
    """Make the world, in place of whatever is there, in one transaction and past the application's drivers."""
    if database.dialect == "sqlite":
        # In a thread: somebody who was cancelled may still hold the lock, and lets go of it in this loop.
        await asyncio.to_thread(_make_in_file, database)
    else:
        async with _connection(database) as connection:
            await connection.execute(_WORLD)


async def contents(database: Database) -> list[list[tuple[Any, ...]]]:
    """Read all there is."""
    return await _rows(database, [f"SELECT * FROM {table} ORDER BY 1, 2, 3" for table in _TABLES])  # noqa: S608 - likewise


async def shape(database: Database) -> list[list[tuple[Any, ...]]]:
    """Read all there is but the times, and the ids that we choose ourselves."""
    return await _rows(database, _SHAPE)


async def _rows(database: Database, queries: Sequence[str]) -> list[list[tuple[Any, ...]]]:
    if database.dialect == "sqlite":
        with _file(database) as file:
            return [file.execute(query).fetchall() for query in queries]
    async with _connection(database) as connection:
        return [[tuple(row) for row in await connection.fetch(query)] for query in queries]


@contextmanager
def _file(database: Database) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as file:
        file.execute("PRAGMA synchronous = OFF")
        yield file


@asynccontextmanager
async def _connection(database: Database) -> AsyncIterator[Any]:
    """Give a connection of asyncpg that is in no transaction: it is of the pool, and may be in use by nobody."""
    async with database.engines[0].connect() as connection:
        raw = await connection.get_raw_connection()
        yield raw.driver_connection
