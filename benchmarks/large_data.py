# ruff: noqa: S608 - numbers and names of our own only
"""Rows by the million, made by the database itself: what `python -m benchmarks.large` measures on."""

import asyncio
import sqlite3
from urllib.parse import urlsplit

import asyncpg

SECTIONS = 1_000_000
PER_DOCUMENT = 50
SHARED_IN = 1_000
"""In how many documents each section of the first one stands."""

LONG, LONGEST = 20_000, 1_000_000
"""How many messages each chat of the second document has, and the one chat with messages of the third."""

PURGED = 10_000
"""How many sections each of the documents has that are purged."""

TO_PURGE = 3
TABLES = ("documents", "sections", "document_sections", "chat_sessions", "messages")


def document_id(number: int) -> str:
    """Return the id of a document, counted from 1."""
    return f"doc_{100_000_000 + number}"


def section_id(number: int) -> str:
    """Return the id of a section, counted from 1: 50 for each document."""
    return f"sec_{100_000_000 + number}"


def purged_id(number: int) -> str:
    """Return the id of a document in the trash, counted from 1."""
    return f"doc_{200_000_000 + number}"


def statements(dialect: str, sections: int) -> list[str]:
    """Return what fills the tables; long chats shrink with the number of sections."""
    long, longest = (max(3, count * sections // SECTIONS) for count in (LONG, LONGEST))
    purged = max(1, PURGED * sections // SECTIONS)

    def series(name: str, count: int) -> str:
        if dialect == "postgresql":
            return f"generate_series(1, {count}) AS {name}({name})"
        counted = f"SELECT 1 UNION ALL SELECT {name} + 1 FROM counted WHERE {name} < {count}"
        return f"(WITH RECURSIVE counted({name}) AS ({counted}) SELECT {name} FROM counted) AS {name}s"

    def time(seconds: str) -> str:
        if dialect == "postgresql":
            return f"timestamptz '2026-01-01+00' + ({seconds}) * interval '1 second'"
        return f"strftime('%Y-%m-%d %H:%M:%f000', '2026-01-01', '+' || ({seconds}) || ' seconds')"

    def position(number: str) -> str:
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        parts = (f"substr('{digits}', ({number}) / {62**power} % 62 + 1, 1)" for power in (2, 1, 0))
        return "'c' || " + " || ".join(f"({part})" for part in parts)

    def identifier(prefix: str, number: str) -> str:
        return f"'{prefix}_' || (100000000 + {number})"

    def document(prefix: str, count: int, deleted: str) -> str:
        return (
            "INSERT INTO documents (workspace_id, id, title, created_by, created_at, deleted_at) "
            f"SELECT 'local', {identifier('doc', prefix)}, 'Document', 'ann', {time('n')}, {deleted} "
            f"FROM {series('n', count)}"
        )

    documents, shared = sections // PER_DOCUMENT, min(SHARED_IN, sections // PER_DOCUMENT)
    everything = sections + TO_PURGE * purged
    first_purged = f"n - {sections + 1}"
    placed = "INSERT INTO document_sections (workspace_id, document_id, section_id, position) SELECT 'local', "
    posted = (
        "INSERT INTO messages (workspace_id, id, chat_id, seq, role, author, content) SELECT 'local', "
        f"'msg_' || chat || '_' || seq, {identifier('chat', 'chat')}, seq, 'USER', 'ann', 'A message.' FROM "
    )
    chatted = f"n <= {sections // 2} OR n > {sections}"
    last_seq = (
        f"CASE WHEN n > {PER_DOCUMENT} AND n <= {2 * PER_DOCUMENT} THEN {long} "
        f"WHEN n = {2 * PER_DOCUMENT + 1} THEN {longest} ELSE 0 END"
    )
    return [
        document("n", documents, "NULL"),
        document("100000000 + n", TO_PURGE, time("n")),
        "INSERT INTO sections (workspace_id, id, title, content, chat_session_id, created_by) "
        f"SELECT 'local', {identifier('sec', 'n')}, 'Section', 'A paragraph that somebody has written.', "
        f"CASE WHEN {chatted} THEN {identifier('chat', 'n')} END, 'ann' FROM {series('n', everything)}",
        f"{placed} {identifier('doc', f'(n - 1) / {PER_DOCUMENT} + 1')}, {identifier('sec', 'n')}, "
        f"{position(f'(n - 1) % {PER_DOCUMENT}')} FROM {series('n', sections)}",
        f"{placed} {identifier('doc', 'd + 1')}, {identifier('sec', 'n')}, {position('100 + n')} "
        f"FROM {series('d', shared - 1)} CROSS JOIN {series('n', PER_DOCUMENT)}",
        f"{placed} {identifier('doc', f'100000001 + ({first_purged}) / {purged}')}, {identifier('sec', 'n')}, "
        f"{position(f'({first_purged}) % {purged}')} FROM {series('n', everything)} WHERE n > {sections}",
        "INSERT INTO chat_sessions (workspace_id, id, section_id, created_by, last_seq, created_at) "
        f"SELECT 'local', {identifier('chat', 'n')}, {identifier('sec', 'n')}, 'ann', {last_seq}, {time('n')} "
        f"FROM {series('n', everything)} WHERE {chatted}",
        f"{posted} (SELECT n + {PER_DOCUMENT} AS chat FROM {series('n', PER_DOCUMENT)}) AS chats "
        f"CROSS JOIN {series('seq', long)}",
        f"{posted} (SELECT {2 * PER_DOCUMENT + 1} AS chat) AS chats CROSS JOIN {series('seq', longest)}",
    ]


def fill(url: str, sections: int = SECTIONS) -> None:
    """Fill a migrated database; on PostgreSQL, nobody analyses its tables meanwhile or afterwards."""
    if url.startswith("sqlite"):
        _fill_sqlite(urlsplit(url).path.removeprefix("/"), sections)
    else:
        asyncio.run(_fill_postgresql(url, sections))


def analyze(url: str) -> None:
    """Analyse the tables."""
    if url.startswith("sqlite"):
        with sqlite3.connect(urlsplit(url).path.removeprefix("/")) as connection:
            connection.execute("ANALYZE")
    else:
        asyncio.run(_execute(url, ["ANALYZE"]))


def _fill_sqlite(file: str, sections: int) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("PRAGMA cache_size = -1000000")
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements("sqlite", sections):
            connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        connection.close()


async def _fill_postgresql(url: str, sections: int) -> None:
    await _execute(
        url,
        [
            *(f"ALTER TABLE {table} SET (autovacuum_enabled = off)" for table in TABLES),
            # Without the checks of foreign keys, which would take longer than all the rest.
            "SET session_replication_role = replica",
            *statements("postgresql", sections),
        ],
    )


async def _execute(url: str, statements: list[str]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
