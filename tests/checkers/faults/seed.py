"""The world that faults strike: made anew in a moment, and read so that two states can be compared."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from db.connection.database import Database
from tests.checkers.faults.commands import GONE, OTHER, TRASHED, WHOLE

_TABLES = ("messages", "chat_sessions", "document_sections", "sections", "documents")

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


async def make(database: Database) -> None:
    """Make the world, in place of whatever is there."""
    local: dict[str, Any] = {"workspace_id": "local"}
    by = {"created_by": "somebody"}
    placed = [(WHOLE, key) for key in _SECTIONS if key != "sec_gone"] + [(OTHER, "sec_found"), (GONE, "sec_gone")]
    rows: dict[str, list[dict[str, Any]]] = {
        "documents": [{"id": key, "title": key, **by} for key in (WHOLE, OTHER, GONE)],
        "sections": [{"id": key, "title": key, "chat_session_id": pointer, **by} for key, pointer in _SECTIONS.items()],
        "document_sections": [
            {"document_id": document, "section_id": section, "position": f"a{number}"}
            for number, (document, section) in enumerate(placed)
        ],
        "chat_sessions": [
            {
                "id": chat,
                "section_id": section,
                "document_id": GONE if section == "sec_gone" else WHOLE,
                "last_seq": 1,
                **by,
            }
            for section, chat in _CHATS.items()
        ],
        "messages": [
            {
                "id": f"msg_{chat}",
                "chat_id": chat,
                "seq": 1,
                "role": "USER",
                "author": "local",
                "content": "Old",
                "client_id": "old",
            }
            for chat in _CHATS.values()
        ],
    }
    async with database.begin() as session:
        for table in _TABLES:
            await session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
        for table, values in rows.items():
            names = [*local, *values[0]]
            given = ", ".join(f":{name}" for name in names)
            insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({given})"  # noqa: S608 - likewise
            await session.execute(text(insert), [local | each for each in values])
        for table, key in (("documents", GONE), ("sections", TRASHED)):
            trash = f"UPDATE {table} SET deleted_at = created_at WHERE id = :key"  # noqa: S608 - likewise
            await session.execute(text(trash), {"key": key})


async def contents(database: Database) -> list[list[tuple[Any, ...]]]:
    """Read all there is."""
    return await _rows(database, [f"SELECT * FROM {table} ORDER BY 1, 2, 3" for table in _TABLES])  # noqa: S608 - likewise


async def shape(database: Database) -> list[list[tuple[Any, ...]]]:
    """Read all there is but the times, and the ids that we choose ourselves."""
    return await _rows(database, _SHAPE)


async def _rows(database: Database, queries: Sequence[str]) -> list[list[tuple[Any, ...]]]:
    async with database.read() as session:
        return [[tuple(row) for row in await session.execute(text(query))] for query in queries]
