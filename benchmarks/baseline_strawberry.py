"""The Strawberry baseline: a server as in the tutorial, where each resolver queries the database itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import strawberry
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL

from benchmarks.baseline_http import connections

Info = strawberry.Info[Any, None]


async def _one(info: Info, table: str, where: str, *values: str) -> Any:
    pool = info.context["request"].app.state.pool
    return await pool.fetchrow(f"SELECT * FROM {table} WHERE workspace_id = 'local' AND {where}", *values)  # noqa: S608 - both are ours


@strawberry.type
class Document:
    """A document."""

    id: strawberry.ID
    title: str


@strawberry.type
class Section:
    """A section."""

    id: strawberry.ID
    title: str
    level: int


@strawberry.type
class ChatSession:
    """A chat. Each field outside its own row costs a statement."""

    id: strawberry.ID
    ensured: str
    created_at: str
    of_section: strawberry.Private[str]
    of_document: strawberry.Private[str]

    @strawberry.field
    async def message_count(self, info: Info) -> int:
        """Count the messages."""
        pool = info.context["request"].app.state.pool
        count = "SELECT count(*) FROM messages WHERE workspace_id = 'local' AND chat_id = $1"
        return int(await pool.fetchval(count, self.id))

    @strawberry.field
    async def section(self, info: Info) -> Section:
        """Read the section."""
        row = await _one(info, "sections", "id = $1 AND deleted_at IS NULL", self.of_section)
        return Section(id=row["id"], title=row["title"], level=row["level"])

    @strawberry.field
    async def document(self, info: Info) -> Document:
        """Read the document."""
        row = await _one(info, "documents", "id = $1 AND deleted_at IS NULL", self.of_document)
        return Document(id=row["id"], title=row["title"])


@strawberry.type
class Mutation:
    """The one mutation."""

    @strawberry.mutation
    async def ensure_section_chat(
        self, info: Info, doc_id: strawberry.ID, section_id: strawberry.ID
    ) -> ChatSession | None:
        """Find the chat, after checking that the document, the section and the placement exist."""
        placed = "document_id = $1 AND section_id = $2"
        for found in (
            await _one(info, "documents", "id = $1 AND deleted_at IS NULL", doc_id),
            await _one(info, "sections", "id = $1 AND deleted_at IS NULL", section_id),
            await _one(info, "document_sections", placed, doc_id, section_id),
            chat := await _one(info, "chat_sessions", "section_id = $1", section_id),
        ):
            if found is None:
                return None
        return ChatSession(
            id=chat["id"],
            ensured="FOUND",
            created_at=chat["created_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            of_section=chat["section_id"],
            of_document=chat["document_id"],
        )


@strawberry.type
class Query:
    """The query type that a schema requires."""

    nothing: None = None


def from_environment() -> Starlette:
    """Create the application, on the database of our server."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with connections() as app.state.pool:
            yield

    view: GraphQL[Any, None] = GraphQL(strawberry.Schema(Query, Mutation))
    return Starlette(routes=[Route("/graphql", view)], lifespan=lifespan)
