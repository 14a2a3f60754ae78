"""Chat sessions: the one conversation anchored to each section."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from db import models
from db.principals import Role
from resolvers import access, messages, users
from resolvers import chats as resolvers
from schema.access import VIEWER_CAN, VIEWER_ROLE, Rights
from schema.documents import Document
from schema.errors import Error
from schema.nodes import Connection, Node
from schema.results import result_of
from schema.sections import Section
from schema.users import User
from schema.view import View, batched_by, enum_of, field, resolved_by, subscription
from services import chats

if TYPE_CHECKING:
    from schema.messages import Message

enum_of(
    models.Ensured,
    "How an ensure obtained the chat of a section.",
    {
        models.Ensured.CREATED: "The section had no chat; the ensure opened one.",
        models.Ensured.FOUND: "The section already had its chat; nothing was written.",
        models.Ensured.REPAIRED: "The section had its chat but did not point to it; the ensure repaired the pointer.",
    },
)


@strawberry.type(description="The one conversation anchored to a section.")
class ChatSession(View, Node):
    """A chat session."""

    represents = models.ChatSession

    section: Section | None = batched_by(
        resolvers.sections_of_chats,
        "The section to which the chat is anchored; null while the section is in the trash.",
    )
    document: Document | None = batched_by(
        resolvers.documents_of_chats,
        "The document through which the chat was opened; null if the document was purged or is in the trash, or if you "
        "may not see it.",
    )
    ensured: models.Ensured | None = field(
        "How the ensure that returned this chat obtained it; null in every other result. A normalized client cache "
        "keeps the value of the last result."
    )
    created_by: User = batched_by(users.creators, "The user who opened the chat.", reads=["created_by"])
    created_at: datetime = field("When the chat was opened.")
    updated_at: datetime = field("When the newest message was posted; without messages, when the chat was opened.")
    message_count: int = field("The number of messages in the chat.")
    messages: Connection[Annotated["Message", strawberry.lazy("schema.messages")]] = batched_by(
        messages.messages_of_chats,
        "The messages of the chat, ordered by number. Without arguments, the newest page.",
        reads=["message_count"],
    )
    viewer_role: Role | None = batched_by(access.roles_on_chats, VIEWER_ROLE)
    viewer_can: Rights = batched_by(access.rights_on_chats, VIEWER_CAN)


@strawberry.type(description="The result of ensureSectionChats for one section.")
class EnsuredSectionChat(View):
    """One entry of ensureSectionChats."""

    represents = chats.EnsuredSectionChat

    section_id: strawberry.ID = field("The id of the section, including its prefix.")
    ensured: models.Ensured | None = field("How the ensure obtained the chat; null if there is an error.")
    chat: ChatSession | None = field("The chat of the section; null if there is an error.")
    error: Error | None = field("Why the section has no chat; null if it has one.")


@strawberry.type(description="The chats of several sections were ensured; each section has its own entry.")
class EnsureSectionChatsSuccess(View):
    """The success of ensureSectionChats."""

    represents = chats.EnsureSectionChatsSuccess

    results: list[EnsuredSectionChat] = field("One entry for each requested id, in the order of the request.")


@strawberry.type(description="The chats of all sections of a document were ensured.")
class EnsureDocumentChatsSuccess(View):
    """The success of ensureDocumentChats."""

    represents = chats.EnsureDocumentChatsSuccess

    document: Document | None = batched_by(
        resolvers.ensured_documents, "The document whose chats were ensured; null if it was trashed meanwhile."
    )
    created_count: int = field("The number of chats that the ensure opened.")
    found_count: int = field("The number of sections that already had their chat.")
    repaired_count: int = field(
        "The number of sections that had a chat but did not point to it; the ensure repaired their pointers."
    )
    refused_count: int = field("The number of sections without a chat because you may not open one.")


@strawberry.type(description="An event: the chat of a section was opened.")
class SectionChatOpened(View):
    """An event of sectionChatOpened."""

    represents = chats.SectionChatOpened

    chat: ChatSession = field("The chat that was opened.")
    actor: User = batched_by(resolvers.openers, "The user who opened the chat.")
    at: datetime = field("When the chat was opened.")


@strawberry.type
class Queries:
    """The query fields for chats."""

    chat_session: ChatSession | None = resolved_by(
        resolvers.chat_session, "The chat session with this id; null if it does not exist or you may not see it."
    )


@strawberry.type
class Mutations:
    """The mutation fields for chats."""

    ensure_section_chat = result_of(
        resolvers.ensure_section_chat,
        "Return the chat of a section of a document, and open it on first use. Safe to retry at any time.",
        answer="The chat of the section, or the reason it has none.",
    )
    ensure_section_chats = result_of(
        resolvers.ensure_section_chats,
        "Return the chats of many sections of a document, and open them on first use. Safe to retry at any time.",
        answer="One entry for each section, or the reason nothing was ensured.",
    )
    ensure_document_chats = result_of(
        resolvers.ensure_document_chats,
        "Open the missing chats of all sections of a document. Safe to retry at any time.",
        answer="The numbers of chats opened, found and repaired, or the reason nothing was ensured.",
    )


@strawberry.type
class Subscriptions:
    """The subscription fields for chats."""

    section_chat_opened: SectionChatOpened | None = subscription(
        resolvers.section_chat_opened,
        resolvers.opened_chat,
        "Delivers an event for each chat opened in the document, by any user in any server process. Null only if an "
        "error occurred.",
    )
