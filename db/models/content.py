"""Documents and their sections, the chats of the sections, and the messages in them."""

from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from db import ids
from db.models.base import NULLABLE_JSON, Owned, derived_from, of_trash, one_of

CHAT_OF_SECTION_KEY = "chat_sessions_section_key"
"""The constraint that enforces one chat per section."""


class SectionStatus(StrEnum):
    """The editorial status of a section's text."""

    DRAFT = "DRAFT"
    GENERATED = "GENERATED"
    REVIEWED = "REVIEWED"
    APPROVED = "APPROVED"


class MessageRole(StrEnum):
    """The author type of a message: a person, the assistant, or the server."""

    USER = "USER"
    ASSISTANT = "ASSISTANT"
    SYSTEM = "SYSTEM"


class DocumentAccess(StrEnum):
    """Who may use a document: the members of its workspace by their roles, or those with a grant only."""

    WORKSPACE = "WORKSPACE"
    RESTRICTED = "RESTRICTED"


class Ensured(StrEnum):
    """What an ensure did to return the chat of a section."""

    CREATED = "CREATED"
    FOUND = "FOUND"
    REPAIRED = "REPAIRED"


class Revised(Owned):
    """A row with a version, whose earlier states are kept as revisions (`db/models/history.py`)."""

    __abstract__ = True

    version: Mapped[int] = mapped_column(server_default=text("1"))
    # Who made the present state, and why. Null while nobody has changed the row since it was created.
    edited_by: Mapped[str | None]
    change_summary: Mapped[str | None]
    is_generated: Mapped[bool] = mapped_column(server_default=false())


class Document(Revised):
    """A titled, ordered arrangement of sections."""

    __tablename__ = "documents"
    __table_args__ = (
        one_of("access", DocumentAccess),
        # The orders of the document list, read newest first.
        Index(None, "workspace_id", "created_at", "id"),
        Index(None, "workspace_id", "updated_at", "id"),
        of_trash(),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    title: Mapped[str]
    description: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    access: Mapped[str] = mapped_column(server_default=text(f"'{DocumentAccess.WORKSPACE}'"))
    # The digest of the create call, set if the caller chose the id. It identifies a retry of that call.
    creation_digest: Mapped[str | None]
    created_by: Mapped[str]
    deleted_at: Mapped[datetime | None]


class Section(Revised):
    """A piece of text with a title and a level. It can be placed in several documents."""

    __tablename__ = "sections"
    __table_args__ = (
        CheckConstraint("level BETWEEN 1 AND 6", name="level"),
        one_of("status", SectionStatus),
        # The orders of the section list (db/finding.py).
        Index(None, "workspace_id", "created_at", "id"),
        Index(None, "workspace_id", "updated_at", "id"),
        of_trash(),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    # Null for the text before the first heading of an imported document.
    title: Mapped[str | None]
    level: Mapped[int] = mapped_column(server_default=text("1"))
    content: Mapped[str] = mapped_column(server_default=text("''"))
    status: Mapped[str] = mapped_column(server_default=text(f"'{SectionStatus.DRAFT}'"))
    tags: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    # No foreign key here: the pointer may name a chat that is gone, and ensure repairs it.
    chat_session_id: Mapped[str | None]
    # Link definitions from other sections of the imported document. The section's links need them in other documents.
    link_definitions: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)
    # The document that the section was last removed from: while the section stands in no document, that one decides who
    # may use it. No foreign key: it may be purged.
    removed_from: Mapped[str | None]
    # As on Document.
    creation_digest: Mapped[str | None]
    created_by: Mapped[str]
    deleted_at: Mapped[datetime | None]

    @derived_from("title")
    def heading(self) -> str:
        """Return the title as shown to people; empty if there is none."""
        return self.title or ""


Trashable = TypeVar("Trashable", Document, Section)
"""The types that can be moved to the trash."""


class Placement(Owned):
    """A section's position in a document."""

    __tablename__ = "document_sections"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "document_id"], ["documents.workspace_id", "documents.id"]),
        ForeignKeyConstraint(["workspace_id", "section_id"], ["sections.workspace_id", "sections.id"]),
        # Includes the document, so that the documents of a section are found by an index-only scan.
        Index(None, "workspace_id", "section_id", "document_id"),
        # Not unique: with a unique index on the position, every reorder would block the opening of a chat.
        Index(None, "workspace_id", "document_id", "position"),
    )

    document_id: Mapped[str] = mapped_column(primary_key=True)
    section_id: Mapped[str] = mapped_column(primary_key=True)
    # Fractional keys sort by bytes, whatever the collation of the database.
    position: Mapped[str] = mapped_column(Text().with_variant(Text(collation="C"), "postgresql"))
    is_copy: Mapped[bool] = mapped_column(server_default=false())
    # The version of the document in which the section came to this position.
    since_version: Mapped[int] = mapped_column(server_default=text("1"))

    @derived_from("document_id", "section_id")
    def id(self) -> str:
        """Return the id for clients; it is stored nowhere."""
        return ids.of_pair(ids.PLACEMENT, self.document_id, self.section_id)


class ChatSession(Owned):
    """The one conversation anchored to a section."""

    __tablename__ = "chat_sessions"
    __table_args__ = (
        UniqueConstraint("workspace_id", "section_id", name=CHAT_OF_SECTION_KEY),
        ForeignKeyConstraint(["workspace_id", "section_id"], ["sections.workspace_id", "sections.id"]),
        ForeignKeyConstraint(["workspace_id", "document_id"], ["documents.workspace_id", "documents.id"]),
        Index(None, "workspace_id", "document_id"),
        # Recently opened chats, for `db/chat_poll.py`.
        Index(None, "workspace_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    section_id: Mapped[str]
    # The document through which the chat was opened; null after that document is purged.
    document_id: Mapped[str | None]
    created_by: Mapped[str]
    # The number of the newest message. Messages are numbered without gaps, so it is also their count.
    last_seq: Mapped[int] = mapped_column(server_default=text("0"))

    # Not a column: what the ensure that returned this object did.
    ensured: Ensured | None = None
    __allow_unmapped__ = True

    @derived_from("last_seq")
    def message_count(self) -> int:
        """Return the number of messages in the chat."""
        return self.last_seq


class Message(Owned):
    """One entry of a chat, numbered 1, 2, 3 ... without gaps within that chat."""

    __tablename__ = "messages"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "chat_id"], ["chat_sessions.workspace_id", "chat_sessions.id"]),
        UniqueConstraint("workspace_id", "chat_id", "seq"),
        UniqueConstraint("workspace_id", "chat_id", "author", "client_id", name="messages_client_key"),
        one_of("role", MessageRole),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    chat_id: Mapped[str]
    seq: Mapped[int]
    role: Mapped[str]
    author: Mapped[str]
    content: Mapped[str]
    # The sender's idempotency key for a post: a retry does not create a second message.
    client_id: Mapped[str | None]
