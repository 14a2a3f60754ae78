"""The Strawberry baseline: a server as in the documentation, with a DataLoader for each relation of a request."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import strawberry
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader

from benchmarks.baseline_http import USER, WORKSPACE, connections, statement, timestamp
from db import ids

_SQL = {
    name: statement(name)
    for name in ("find", "open", "documents", "sections", "placed", "chats_of_sections", "chat", "messages")
}


class Data:
    """The way of a request to the data."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.documents = DataLoader[str, Any](self._by_key("documents", "id"))
        self.sections = DataLoader[str, Any](self._by_key("sections", "id"))
        self.chats_of_sections = DataLoader[str, Any](self._by_key("chats_of_sections", "section_id"))

    async def rows(self, name: str, *values: Any) -> Any:
        """Run a statement."""
        return await self._pool.fetch(_SQL[name], WORKSPACE, *values)

    def _by_key(self, name: str, key: str) -> Any:
        async def load(keys: list[str]) -> Sequence[Any]:
            found = {row[key]: row for row in await self.rows(name, keys)}
            return [found.get(each) for each in keys]

        return load


Info = strawberry.Info[Any, None]


def _data(info: Info) -> Data:
    data: Data = info.context["data"]
    return data


@strawberry.type
class PageInfo:
    """Information about a page."""

    has_next_page: bool


@strawberry.type
class User:
    """A user."""

    id: strawberry.ID
    name: str


@strawberry.type
class Message:
    """A message."""

    id: strawberry.ID
    seq: int
    role: str
    content: str
    created_at: str
    author: User


@strawberry.type
class MessageEdge:
    """An item of a list."""

    node: Message


@strawberry.type
class MessageConnection:
    """A page of messages."""

    edges: list[MessageEdge]
    page_info: PageInfo


@strawberry.type
class ChatSession:
    """A chat."""

    id: strawberry.ID
    message_count: int
    of_section: strawberry.Private[str]
    of_document: strawberry.Private[str | None]

    @strawberry.field
    async def section(self, info: Info) -> Annotated["Section", strawberry.lazy(__name__)] | None:
        """Read the section."""
        return _section(await _data(info).sections.load(self.of_section))

    @strawberry.field
    async def document(self, info: Info) -> Annotated["Document", strawberry.lazy(__name__)] | None:
        """Read the document."""
        row = self.of_document and await _data(info).documents.load(self.of_document)
        return Document(id=row["id"], title=row["title"]) if row else None

    @strawberry.field
    async def messages(self, info: Info, first: int = 20) -> MessageConnection:
        """Read a page of the messages."""
        rows = await _data(info).rows("messages", self.id, first)
        edges = [MessageEdge(node=_message(row)) for row in rows[:first]]
        return MessageConnection(edges=edges, page_info=PageInfo(has_next_page=len(rows) > first))


@strawberry.type
class Section:
    """A section."""

    id: strawberry.ID
    title: str
    level: int

    @strawberry.field
    async def chat(self, info: Info) -> ChatSession | None:
        """Read the chat."""
        row = await _data(info).chats_of_sections.load(self.id)
        return _chat(row) if row else None


@strawberry.type
class SectionEdge:
    """An item of a list."""

    node: Section | None


@strawberry.type
class SectionConnection:
    """A page of sections."""

    edges: list[SectionEdge]
    page_info: PageInfo


@strawberry.type
class Document:
    """A document."""

    id: strawberry.ID
    title: str

    @strawberry.field
    async def sections(self, info: Info, first: int = 20) -> SectionConnection:
        """Read a page of the sections."""
        rows = await _data(info).rows("placed", self.id, first)
        edges = [SectionEdge(node=_section(row)) for row in rows[:first]]
        return SectionConnection(edges=edges, page_info=PageInfo(has_next_page=len(rows) > first))


def _chat(row: Any) -> ChatSession:
    return ChatSession(
        id=row["id"], message_count=row["last_seq"], of_section=row["section_id"], of_document=row["document_id"]
    )


def _section(row: Any) -> Section | None:
    return Section(id=row["id"], title=row["title"] or "", level=row["level"]) if row else None


def _message(row: Any) -> Message:
    return Message(
        id=row["id"],
        seq=row["seq"],
        role=row["role"],
        content=row["content"],
        created_at=timestamp(row["created_at"]),
        author=User(id=strawberry.ID(f"user_{row['author']}"), name=row["author"]),
    )


@strawberry.interface
class Error:
    """An expected failure."""

    code: str
    message: str


@strawberry.type
class SectionNotInDocument(Error):
    """The section is not in the document, or one of them does not exist."""


@strawberry.type
class Mutation:
    """The one mutation."""

    @strawberry.mutation
    async def ensure_section_chat(
        self, info: Info, doc_id: strawberry.ID, section_id: strawberry.ID
    ) -> Annotated[ChatSession | SectionNotInDocument, strawberry.union("EnsureSectionChatResult")]:
        """Find the chat of a section, or open it."""
        data = _data(info)
        while True:
            (row,) = await data.rows("find", doc_id, section_id)
            if not row["placed"]:
                return SectionNotInDocument(
                    code="SECTION_NOT_IN_DOCUMENT", message="The section is not in the document"
                )
            data.sections.prime(
                section_id, {"id": section_id, "title": row["section_title"], "level": row["section_level"]}
            )
            data.documents.prime(doc_id, {"id": doc_id, "title": row["document_title"]})
            if row["chat_id"]:
                through = row["opened_through_id"]
                return ChatSession(
                    id=row["chat_id"], message_count=row["last_seq"], of_section=section_id, of_document=through
                )
            opened = await data.rows("open", doc_id, section_id, ids.new(ids.CHAT), USER)
            if opened:
                (chat,) = opened
                return ChatSession(
                    id=chat["id"], message_count=chat["last_seq"], of_section=section_id, of_document=doc_id
                )


@strawberry.type
class Query:
    """The roots of the queries."""

    @strawberry.field
    async def document(self, info: Info, id: strawberry.ID) -> Document | None:
        """Read a document."""
        row = await _data(info).documents.load(id)
        return Document(id=row["id"], title=row["title"]) if row else None

    @strawberry.field
    async def chat_session(self, info: Info, id: strawberry.ID) -> ChatSession | None:
        """Read a chat."""
        rows = await _data(info).rows("chat", id)
        return _chat(rows[0]) if rows else None


class _GraphQL(GraphQL[Any, None]):
    async def get_context(self, request: Any, response: Any) -> Any:
        return {"request": request, "data": Data(request.app.state.pool)}


def from_environment() -> Starlette:
    """Create the application, on the database of our server."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with connections() as app.state.pool:
            yield

    return Starlette(routes=[Route("/graphql", _GraphQL(strawberry.Schema(Query, Mutation)))], lifespan=lifespan)
