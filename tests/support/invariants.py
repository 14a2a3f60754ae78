"""Invariants: what must hold of every database, whatever happened to it, as queries that find no row."""

from sqlalchemy import text

from db.database import Database

INVARIANTS = {
    "D1 a section has one chat": """
        SELECT workspace_id, section_id FROM chat_sessions GROUP BY workspace_id, section_id HAVING count(*) > 1
    """,
    "D2 a chat has its section": """
        SELECT c.workspace_id, c.id FROM chat_sessions c
        LEFT JOIN sections s ON s.workspace_id = c.workspace_id AND s.id = c.section_id
        WHERE s.id IS NULL
    """,
    "D2 a placement has its document and its section": """
        SELECT p.workspace_id, p.document_id, p.section_id FROM document_sections p
        LEFT JOIN documents d ON d.workspace_id = p.workspace_id AND d.id = p.document_id
        LEFT JOIN sections s ON s.workspace_id = p.workspace_id AND s.id = p.section_id
        WHERE d.id IS NULL OR s.id IS NULL
    """,
    "D2 a message has its chat": """
        SELECT m.workspace_id, m.id FROM messages m
        LEFT JOIN chat_sessions c ON c.workspace_id = m.workspace_id AND c.id = m.chat_id
        WHERE c.id IS NULL
    """,
    # The rest of D3 follows from D2, which looks in the row's own workspace only.
    "D3 a chat was opened through a document of its workspace": """
        SELECT c.workspace_id, c.id FROM chat_sessions c
        LEFT JOIN documents d ON d.workspace_id = c.workspace_id AND d.id = c.document_id
        WHERE c.document_id IS NOT NULL AND d.id IS NULL
    """,
    "D4 a pointer names the chat of its section": """
        SELECT s.workspace_id, s.id, s.chat_session_id FROM sections s
        LEFT JOIN chat_sessions c ON c.workspace_id = s.workspace_id AND c.id = s.chat_session_id
        WHERE s.chat_session_id IS NOT NULL AND (c.id IS NULL OR c.section_id <> s.id)
    """,
    "D5 a section with a chat points to it": """
        SELECT s.workspace_id, s.id, c.id FROM sections s
        JOIN chat_sessions c ON c.workspace_id = s.workspace_id AND c.section_id = s.id
        WHERE s.chat_session_id IS NULL OR s.chat_session_id <> c.id
    """,
    "D6 the messages of a chat are numbered 1 to its last": """
        SELECT c.workspace_id, c.id, c.last_seq, count(m.id), min(m.seq), max(m.seq) FROM chat_sessions c
        LEFT JOIN messages m ON m.workspace_id = c.workspace_id AND m.chat_id = c.id
        GROUP BY c.workspace_id, c.id, c.last_seq
        HAVING count(m.id) <> c.last_seq OR count(DISTINCT m.seq) <> c.last_seq
            OR coalesce(min(m.seq), 1) <> 1 OR coalesce(max(m.seq), 0) <> c.last_seq
    """,
    "D6 an author's client id names one message of a chat": """
        SELECT workspace_id, chat_id, author, client_id FROM messages WHERE client_id IS NOT NULL
        GROUP BY workspace_id, chat_id, author, client_id HAVING count(*) > 1
    """,
    "D7 the positions in a document are distinct": """
        SELECT workspace_id, document_id, position FROM document_sections
        GROUP BY workspace_id, document_id, position HAVING count(*) > 1
    """,
    # What begins with a letter, which tells the length of the whole part, and goes on in base 62.
    "D7 a position is a fractional key": """
        SELECT workspace_id, document_id, section_id, position FROM document_sections
        WHERE length(position) < 2 OR substr(position, 1, 1) IN ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
            OR trim(position, '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ') <> ''
    """,
}
"""What the invariants of RELIABILITY.md say of rows; D8 is the engine's own check."""


async def violations(database: Database) -> list[str]:
    """Return a line for each row that breaks an invariant."""
    found = []
    async with database.read() as session:
        for name, query in INVARIANTS.items():
            found += [f"{name}: {tuple(row)}" for row in await session.execute(text(query))]
    return found
