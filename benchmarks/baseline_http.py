"""The HTTP baseline: handwritten handlers for the operations of the workloads, without GraphQL.

Each takes the same request and returns the same answer as our server. The name of the operation selects the handler;
the text is not read.
"""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from db import ids
from marginalia.settings import Settings

WORKSPACE = USER = "local"


def statement(name: str) -> str:
    """Return the text of a statement, which the peers use too."""
    return (Path(__file__).parent / f"peers/sql/{name}.sql").read_text()


def timestamp(at: datetime) -> str:
    """Return a time as clients see it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_FIND, _OPEN, _DOCUMENT, _CHAT = (statement(name) for name in ("find", "open", "document_page", "chat_page"))


class Handlers:
    """A handler for each operation, over a connection pool."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._by_name = {"Ensure": self.ensure, "Document": self.document, "Chat": self.chat}

    async def answer(self, request: Request) -> JSONResponse:
        """Answer a request."""
        asked = await request.json()
        return JSONResponse({"data": await self._by_name[asked["operationName"]](asked["variables"])})

    async def ensure(self, asked: Mapping[str, str]) -> Any:
        """Find the chat of a section, or open it."""
        document, section = asked["docId"], asked["sectionId"]
        while True:
            row = await self._pool.fetchrow(_FIND, WORKSPACE, document, section)
            if row is None or not row["placed"]:
                return {"ensureSectionChat": {"__typename": "SectionNotInDocument"}}
            chat, through = row["chat_id"], (row["opened_through_id"], row["opened_through_title"])
            if chat is None:
                opened = await self._pool.fetchrow(_OPEN, WORKSPACE, document, section, ids.new(ids.CHAT), USER)
                if opened is None:
                    continue  # somebody else was faster
                chat, through = opened["id"], (document, row["document_title"])
            shown = {
                "__typename": "ChatSession",
                "id": chat,
                "section": {"id": section, "title": row["section_title"]},
                "document": {"id": through[0], "title": through[1]} if through[0] else None,
            }
            return {"ensureSectionChat": shown}

    async def document(self, asked: Mapping[str, Any]) -> Any:
        """Read a document with its sections and their chats."""
        rows = await self._pool.fetch(_DOCUMENT, WORKSPACE, asked["id"], asked["first"])
        if not rows:
            return {"document": None}
        nodes = [
            {
                "id": row["id"],
                "title": row["title"],
                "level": row["level"],
                "chat": {"id": row["chat_id"], "messageCount": row["last_seq"]} if row["chat_id"] else None,
            }
            for row in rows
            if row["id"]
        ]
        sections = _page(nodes, asked["first"])
        return {"document": {"id": asked["id"], "title": rows[0]["document_title"], "sections": sections}}

    async def chat(self, asked: Mapping[str, Any]) -> Any:
        """Read a chat with its messages and their authors."""
        rows = await self._pool.fetch(_CHAT, WORKSPACE, asked["id"], asked["first"])
        if not rows:
            return {"chatSession": None}
        nodes = [
            {
                "id": row["id"],
                "seq": row["seq"],
                "role": row["role"],
                "content": row["content"],
                "createdAt": timestamp(row["created_at"]),
                "author": {"id": f"user_{row['author']}", "name": row["author"]},
            }
            for row in rows
            if row["id"]
        ]
        messages = _page(nodes, asked["first"])
        return {"chatSession": {"id": asked["id"], "messageCount": rows[0]["last_seq"], "messages": messages}}


def _page(nodes: Sequence[Any], first: int) -> Any:
    return {"edges": [{"node": node} for node in nodes[:first]], "pageInfo": {"hasNextPage": len(nodes) > first}}


def from_environment() -> Starlette:
    """Create the application, on the database of our server."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with connections() as pool:
            app.state.handlers = Handlers(pool)
            yield

    async def answer(request: Request) -> JSONResponse:
        handlers: Handlers = request.app.state.handlers
        return await handlers.answer(request)

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan)


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
