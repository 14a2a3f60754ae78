"""The HTTP baseline: a hot ensure as a handwritten handler for this one request, without GraphQL.

It reads the same rows by the same joins in one statement, and returns the same answer as our server.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from marginalia.settings import Settings

# The SQL of `db.anchors.find`, with single values, and only the columns that the answer needs.
_FIND = """
SELECT chat.id, chat.created_at, chat.last_seq,
       section.id AS section_id, section.title AS section_title, section.level,
       opened_through.id AS document_id, opened_through.title AS document_title
FROM documents AS document
JOIN sections AS section
  ON section.workspace_id = document.workspace_id AND section.id = $3 AND section.deleted_at IS NULL
JOIN document_sections AS placement
  ON placement.workspace_id = document.workspace_id AND placement.document_id = document.id
  AND placement.workspace_id = section.workspace_id AND placement.section_id = section.id
JOIN chat_sessions AS chat
  ON chat.workspace_id = section.workspace_id AND chat.section_id = section.id AND chat.id = section.chat_session_id
LEFT JOIN documents AS opened_through
  ON opened_through.workspace_id = chat.workspace_id AND opened_through.id = chat.document_id
  AND opened_through.deleted_at IS NULL
WHERE document.workspace_id = $1 AND document.id = $2 AND document.deleted_at IS NULL
"""


def from_environment() -> Starlette:
    """Create the application, on the database of our server."""
    pool: asyncpg.Pool[asyncpg.Record]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        nonlocal pool
        async with connections() as pool:
            yield

    async def ensure(request: Request) -> JSONResponse:
        asked = await request.json()
        row = await pool.fetchrow(_FIND, "local", asked["docId"], asked["sectionId"])
        if row is None:
            return JSONResponse({"data": {"ensureSectionChat": None}}, 404)
        chat = {
            "__typename": "ChatSession",
            "id": row["id"],
            "ensured": "FOUND",
            "createdAt": row["created_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "messageCount": row["last_seq"],
            "section": {"id": row["section_id"], "title": row["section_title"], "level": row["level"]},
            "document": row["document_id"] and {"id": row["document_id"], "title": row["document_title"]},
        }
        return JSONResponse({"data": {"ensureSectionChat": chat}})

    # The same path as ours, so that the requests differ only in their bodies.
    return Starlette(routes=[Route("/graphql", ensure, methods=["POST"])], lifespan=lifespan)


@asynccontextmanager
async def connections() -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """Yield a connection pool of the size of our server's read pool, with all connections open."""
    size = Settings().pool_size
    async with asyncpg.create_pool(
        os.environ["MARGINALIA_DATABASE_URL"],
        min_size=size,
        max_size=size,
        server_settings={"jit": "off"},
        reset=_leave,
    ) as pool:
        yield pool


async def _leave(_connection: object) -> None:
    # By default asyncpg resets a connection after each use, with a statement. Here no connection state changes.
    pass
