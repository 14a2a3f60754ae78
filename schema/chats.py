"""Chat sessions, the one conversation anchored to each section, and their messages."""

from datetime import datetime

import strawberry

from db import models
from db.reading import paging
from resolvers import chats as resolvers
from schema.documents import Document
from schema.nodes import Node, PageInfo
from schema.sections import Section
from schema.view import View, enum_of, field, resolved_by

enum_of(
    models.Ensured,
    "What an ensure had to do to answer with the chat of a section.",
    {
        models.Ensured.CREATED: "There was none, so it was opened.",
        models.Ensured.FOUND: "It was there, and nothing was written.",
        models.Ensured.REPAIRED: "It was there, but the section did not point to it; now it does.",
    },
)

enum_of(
    models.MessageRole,
    "Who speaks in a message.",
    {
        models.MessageRole.USER: "A person.",
        models.MessageRole.ASSISTANT: "The assistant.",
        models.MessageRole.SYSTEM: "The server itself.",
    },
)


@strawberry.type(description="The one conversation anchored to a section.")
class ChatSession(View, Node):
    """A chat session."""

    represents = models.ChatSession

    section: Section | None = resolved_by(resolvers.section, "The section; null once it is in the trash.")
    document: Document | None = resolved_by(
        resolvers.document, "The document through which the chat was opened; null for who may not see it."
    )
    ensured: models.Ensured | None = field("What ensureSectionChat had to do; null anywhere but in its answer.")
    created_by: str = field("The user who opened it.")
    created_at: datetime = field("When it was opened.")
    updated_at: datetime = field("When it was opened, or the newest message was posted.")
    message_count: int = field("How many messages it has.")
    messages: "MessageConnection" = resolved_by(resolvers.messages, "Its messages, by number.")


@strawberry.type(description="One entry of a chat.")
class Message(View, Node):
    """A message."""

    represents = models.Message

    chat: ChatSession | None = resolved_by(resolvers.message_chat, "The chat it belongs to.")
    seq: int = field("Its number: the messages of a chat are numbered 1, 2, 3 ... without gaps.")
    role: models.MessageRole = field("Who speaks.")
    author: str = field("The user who posted it.")
    content: str = field("The text, as Markdown, kept as it was written.")
    client_id: str | None = field("The key that its sender gave to the post.")
    created_at: datetime = field("When it was posted.")


@strawberry.type(description="A message in a page of messages.")
class MessageEdge(View):
    """An edge to a message."""

    represents = paging.Edge

    cursor: str = field("Where to go on from here.")
    node: Message | None = field("The message; null where it cannot be shown, for which there is an error.")


@strawberry.type(description="A page of the messages of a chat, by number.")
class MessageConnection(View):
    """A page of messages."""

    represents = paging.Connection

    edges: list[MessageEdge | None] = field("The messages of this page; null for one that has no place in the order.")
    page_info: PageInfo = field("Where this page stands in the whole.")
