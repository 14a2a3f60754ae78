"""The data of the benchmarks: the same rows in PostgreSQL and in SQLite, so that all servers give equal answers."""

import asyncio
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from db import positions

SMALL, LARGE = 1, 2
"""The numbers of two documents whose sections all have chats."""

SIZES = {SMALL: 20, LARGE: 200}
"""Their numbers of sections."""

MESSAGES = 50
"""The number of messages in the chat of the first section of the small document."""

SCRATCH = range(100, 180)
"""The numbers of the documents whose sections have no chats, until a round opens them."""

SCRATCH_SIZE = 100
"""The number of sections in each of them."""

_AT = datetime(2026, 1, 1, 9, 30, 0, 123_000, tzinfo=UTC)
_TEXT = "A paragraph that somebody has written, and somebody else has a question about. " * 10
_ALIKE = {"created_at": _AT, "updated_at": _AT, "workspace_id": "local"}

Rows = dict[str, list[dict[str, Any]]]


def document_id(number: int) -> str:
    """Return the id of a document."""
    return f"doc_{number:026}"


def section_id(document: int, number: int) -> str:
    """Return the id of a section of a document, counted from 0."""
    return f"sec_{document * 1_000 + number:026}"


def chat_id(document: int, number: int) -> str:
    """Return the id of the chat of a section."""
    return f"chat_{document * 1_000 + number:026}"


def rows() -> Rows:
    """Return the rows of each table, in the order of their foreign keys."""
    tables: Rows = {name: [] for name in ("documents", "sections", "document_sections", "chat_sessions", "messages")}
    for document in (*SIZES, *SCRATCH):
        size = SIZES.get(document, SCRATCH_SIZE)
        tables["documents"].append(
            {"id": document_id(document), "title": _title(document, "Document"), "created_by": "local"} | _ALIKE
        )
        for number, position in enumerate(positions.after(None, size)):
            chat = chat_id(document, number) if document in SIZES else None
            for name, row in _section(document, number, position, chat):
                tables[name].append(row | _ALIKE)
    chat = chat_id(SMALL, 0)
    tables["messages"] = [
        {
            "id": f"msg_{seq:026}",
            "chat_id": chat,
            "seq": seq,
            "role": "USER",
            "author": ("ann", "bob", "local")[seq % 3],
            "content": f"Message {seq}: what does this paragraph mean, and who has written it?",
        }
        | _ALIKE
        for seq in range(1, MESSAGES + 1)
    ]
    return tables


def _section(document: int, number: int, position: str, chat: str | None) -> Iterable[tuple[str, dict[str, Any]]]:
    section = section_id(document, number)
    yield (
        "sections",
        {
            "id": section,
            "title": _title(document, f"Section {number}"),
            "level": 2,
            "content": _TEXT,
            "chat_session_id": chat,
            "created_by": "local",
        },
    )
    yield "document_sections", {"document_id": document_id(document), "section_id": section, "position": position}
    if chat:
        yield (
            "chat_sessions",
            {
                "id": chat,
                "section_id": section,
                "document_id": document_id(document),
                "created_by": "local",
                "last_seq": MESSAGES if (document, number) == (SMALL, 0) else 0,
            },
        )


def _title(document: int, title: str) -> str:
    # All alike, so that the answers differ in ids only.
    return "Scratch" if document in SCRATCH else title


def fill(url: str) -> None:
    """Fill an empty, migrated database."""
    if _is_sqlite(url):
        with sqlite3.connect(urlsplit(url).path[1:]) as connection:
            connection.execute(_WORKSPACE)
            for table, content in rows().items():
                names = list(content[0])
                connection.executemany(
                    f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608 - our own names
                    ([_sqlite(row[name]) for name in names] for row in content),
                )
            connection.execute("ANALYZE")
        connection.close()
    else:
        asyncio.run(_fill(url))


def reset(url: str) -> None:
    """Take away the chats of the scratch documents, as if no round had been."""
    if _is_sqlite(url):
        with sqlite3.connect(urlsplit(url).path[1:], timeout=30) as connection:
            for statement in _RESET:
                connection.execute(statement)
        connection.close()
    else:
        asyncio.run(_reset(url))


_WORKSPACE = "INSERT INTO workspaces (workspace_id) VALUES ('local') ON CONFLICT DO NOTHING"
_IS_SCRATCH = f"BETWEEN '{document_id(SCRATCH.start)}' AND '{document_id(SCRATCH.stop)}'"
_RESET = (
    f"DELETE FROM chat_sessions WHERE document_id {_IS_SCRATCH}",  # noqa: S608 - our own ids
    "UPDATE sections SET chat_session_id = NULL WHERE title = 'Scratch' AND chat_session_id IS NOT NULL",
)


async def _fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_WORKSPACE)
        for table, content in rows().items():
            names = list(content[0])
            await connection.copy_records_to_table(
                table, columns=names, records=[tuple(row[name] for name in names) for row in content]
            )
        # Otherwise autovacuum might analyse the tables in the middle of a round, and change the plans.
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def _reset(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in _RESET:
            await connection.execute(statement)
        await connection.execute("VACUUM chat_sessions, sections")
    finally:
        await connection.close()


def _sqlite(value: Any) -> Any:
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")
