"""Chat sessions: the one conversation anchored to each section."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from db import models
from resolvers import chats as resolvers
from resolvers import messages, users
from schema.documents import Document
from schema.errors import Error
from schema.nodes import Connection, Node
from schema.results import result_of
from schema.sections import Section
from schema.users import User
from schema.view import View, enum_of, field, resolved_by, subscription
from services import chats

if TYPE_CHECKING:
    from schema.messages import Message

enum_of(
    models.Ensured,
    "What an ensure had to do to answer with the chat of a section.",
    {
        models.Ensured.CREATED: "The section had no chat, so the ensure opened one.",
        models.Ensured.FOUND: "The section had its chat; nothing was written.",
        models.Ensured.REPAIRED: "The section had its chat but did not point to it; the ensure set the pointer right.",
    },
)


@strawberry.type(description="The one conversation anchored to a section.")
class ChatSession(View, Node):
    """A chat session."""

    represents = models.ChatSession

    section: Section | None = resolved_by(resolvers.section, "The section; null while it is in the trash.")
    document: Document | None = resolved_by(
        resolvers.document,
        "The document through which the chat was opened; null if it is purged or in the trash, or you may not see it.",
    )
    ensured: models.Ensured | None = field(
        "What ensureSectionChat had to do; null in every other answer. A normalised client cache keeps the value of "
        "the last answer."
    )
    created_by: User = resolved_by(users.created_by, "The user who opened it.")
    created_at: datetime = field("When it was opened.")
    updated_at: datetime = field("When the newest message was posted; before the first one, when the chat was opened.")
    message_count: int = field("How many messages it has.")
    messages: Connection[Annotated["Message", strawberry.lazy("schema.messages")]] = resolved_by(
        messages.messages_of, "Its messages, by number; without arguments, the newest page."
    )


@strawberry.type(description="What an ensure of several sections did for one of them.")
class EnsuredSectionChat(View):
    """One entry of ensureSectionChats."""

    represents = chats.EnsuredSectionChat

    section_id: strawberry.ID = field("The id of the section, with its prefix.")
    ensured: models.Ensured | None = field("What the ensure had to do; null if there is an error.")
    chat: ChatSession | None = field("The chat of the section; null if there is an error.")
    error: Error | None = field("Why the section has no chat; null if it has one.")


@strawberry.type(description="The chats of several sections were ensured, each with an entry of its own.")
class EnsureSectionChatsSuccess(View):
    """The success of ensureSectionChats."""

    represents = chats.EnsureSectionChatsSuccess

    results: list[EnsuredSectionChat] = field("One entry for each id, in the order of the ids.")


@strawberry.type(description="The chats of all sections of a document were ensured.")
class EnsureDocumentChatsSuccess(View):
    """The success of ensureDocumentChats."""

    represents = chats.EnsureDocumentChatsSuccess

    document: Document | None = resolved_by(
        resolvers.ensured_document, "The document, whose sections have their chats; null if it was trashed meanwhile."
    )
    created_count: int = field("How many chats were opened.")
    found_count: int = field("How many sections had their chat.")
    repaired_count: int = field("How many sections had a chat but did not point to it; now they do.")
    refused_count: int = field("How many sections have no chat because you may not open one.")


@strawberry.type(description="The event that the chat of a section was opened.")
class SectionChatOpened(View):
    """An event of sectionChatOpened."""

    represents = chats.SectionChatOpened

    chat: ChatSession = field("The chat.")
    actor: User = field("The user who opened it.")
    at: datetime = field("When it was opened.")


@strawberry.type
class Queries:
    """What can be read of chats."""

    chat_session: ChatSession | None = resolved_by(
        resolvers.chat_session, "A chat session by its id; null if it does not exist or you may not see it."
    )


@strawberry.type
class Mutations:
    """What can be done with chats."""

    ensure_section_chat = result_of(
        resolvers.ensure_section_chat,
        "Return the chat of a section of a document, opening it on first use. Safe to repeat at any moment.",
        answer="The chat of the section, or why it has none.",
    )
    ensure_section_chats = result_of(
        resolvers.ensure_section_chats,
        "Return the chats of many sections of a document, opening them on first use. Safe to repeat at any moment.",
        answer="An entry for each section, or why nothing was ensured.",
    )
    ensure_document_chats = result_of(
        resolvers.ensure_document_chats,
        "Open the chat of every section of a document that has none. Safe to repeat at any moment.",
        answer="How many chats the document has, or why none were opened.",
    )


@strawberry.type
class Subscriptions:
    """What is delivered of chats."""

    section_chat_opened: SectionChatOpened | None = subscription(
        resolvers.section_chat_opened,
        resolvers.opened_chat,
        "An event for each chat that is opened for a section of the document, by any user and any server process.",
    )
