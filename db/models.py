"""The tables: every row belongs to a workspace, and every key begins with it.

A table with a workspace in front of each key distributes by workspace on a sharded PostgreSQL, and a foreign
key can never cross from one workspace into another. There are no relationships: what a row leads to is read
through the loaders, in batches.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Self, TypeVar, cast

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    false,
    inspect,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.times import UtcDateTime, utcnow

CHAT_OF_SECTION_KEY = "chat_sessions_section_key"
"""The constraint that makes "one chat per section" true."""


class SectionStatus(StrEnum):
    """How far the text of a section has come."""

    DRAFT = "DRAFT"
    GENERATED = "GENERATED"
    REVIEWED = "REVIEWED"
    APPROVED = "APPROVED"


class MessageRole(StrEnum):
    """Who speaks in a message: a person, the assistant, or the server itself."""

    USER = "USER"
    ASSISTANT = "ASSISTANT"
    SYSTEM = "SYSTEM"


class Ensured(StrEnum):
    """What an ensure had to do to answer with the chat of a section."""

    CREATED = "CREATED"
    FOUND = "FOUND"
    REPAIRED = "REPAIRED"


def _of_trash() -> Index:
    """Index what is in the trash, and nothing else, in the order in which it was put there."""
    trashed = text("deleted_at IS NOT NULL")
    return Index(None, "workspace_id", "deleted_at", "id", postgresql_where=trashed, sqlite_where=trashed)


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Base(DeclarativeBase):
    """What all tables share: predictable constraint names, because code matches on them."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: UtcDateTime(),
        dict[str, Any]: JSON().with_variant(JSONB(), "postgresql"),
        list[str]: JSON().with_variant(JSONB(), "postgresql"),
    }

    created_at: Mapped[datetime] = mapped_column(server_default=utcnow(), sort_order=100)
    updated_at: Mapped[datetime] = mapped_column(server_default=utcnow(), sort_order=101)

    @classmethod
    def as_loaded(cls, values: Mapping[str, Any]) -> Self:
        """Return a row with the values that its attributes have in the database, as a query of no session would.

        Past the constructor, which would keep the books of a new row. It is for reading; no session knows it.
        """
        row = cast(Self, cls.__mapper__.class_manager.new_instance())
        vars(row).update(values)
        return row


class Workspace(Base):
    """The tenant: nothing of one workspace is ever seen from another."""

    __tablename__ = "workspaces"

    workspace_id: Mapped[str] = mapped_column(primary_key=True)


class Owned(Base):
    """A row of a workspace."""

    __abstract__ = True

    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.workspace_id"), primary_key=True, sort_order=-2)


class Document(Owned):
    """A titled, ordered arrangement of sections."""

    __tablename__ = "documents"
    __table_args__ = (
        # Newest first, as a list of documents is read.
        Index(None, "workspace_id", "created_at", "id"),
        _of_trash(),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    title: Mapped[str]
    description: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    # Of the call that created it under an id of the caller's, so that its retry is recognised.
    creation_digest: Mapped[str | None]
    created_by: Mapped[str]
    deleted_at: Mapped[datetime | None]


class Section(Owned):
    """A piece of text with a title and a level; it can stand in several documents."""

    __tablename__ = "sections"
    __table_args__ = (
        CheckConstraint("level BETWEEN 1 AND 6", name="level"),
        _one_of("status", SectionStatus),
        _of_trash(),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    # Null for the text that stands before the first heading of an imported document.
    title: Mapped[str | None]
    level: Mapped[int] = mapped_column(server_default=text("1"))
    content: Mapped[str] = mapped_column(server_default=text("''"))
    status: Mapped[str] = mapped_column(server_default=text(f"'{SectionStatus.DRAFT}'"))
    tags: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    # Of an imported section also the link definitions that it uses: see `services/link_definitions.py`.
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    # No foreign key here: the pointer may name a chat that is gone, and ensure repairs it.
    chat_session_id: Mapped[str | None]
    # Of other sections of the document it was imported with: what its links need in other documents.
    link_definitions: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    )
    # As of a document.
    creation_digest: Mapped[str | None]
    created_by: Mapped[str]
    deleted_at: Mapped[datetime | None]

    @property
    def heading(self) -> str:
        """The title as people see it: empty where there is none."""
        return self.title or ""


Trashable = TypeVar("Trashable", Document, Section)
"""What can be moved to the trash."""


class Placement(Owned):
    """The fact that a section stands in a document, at a position."""

    __tablename__ = "document_sections"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "document_id"], ["documents.workspace_id", "documents.id"]),
        ForeignKeyConstraint(["workspace_id", "section_id"], ["sections.workspace_id", "sections.id"]),
        # With the document, so that the documents of a section are found without looking at the rows.
        Index(None, "workspace_id", "section_id", "document_id"),
        # Not unique: a unique index on the position would make every reorder block the opening of a chat.
        Index(None, "workspace_id", "document_id", "position"),
    )

    document_id: Mapped[str] = mapped_column(primary_key=True)
    section_id: Mapped[str] = mapped_column(primary_key=True)
    # Fractional keys are ordered by their bytes, whatever the collation of the database.
    position: Mapped[str] = mapped_column(Text().with_variant(Text(collation="C"), "postgresql"))
    is_copy: Mapped[bool] = mapped_column(server_default=false())


class ChatSession(Owned):
    """The one conversation anchored to a section."""

    __tablename__ = "chat_sessions"
    __table_args__ = (
        UniqueConstraint("workspace_id", "section_id", name=CHAT_OF_SECTION_KEY),
        ForeignKeyConstraint(["workspace_id", "section_id"], ["sections.workspace_id", "sections.id"]),
        ForeignKeyConstraint(["workspace_id", "document_id"], ["documents.workspace_id", "documents.id"]),
        Index(None, "workspace_id", "document_id"),
        # Those that were opened of late, as `db/chat_poll.py` reads them.
        Index(None, "workspace_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    section_id: Mapped[str]
    # The document through which the chat was opened; null once that document is purged.
    document_id: Mapped[str | None]
    created_by: Mapped[str]
    # The number of the newest message; messages are numbered without gaps, so it is also their count.
    last_seq: Mapped[int] = mapped_column(server_default=text("0"))

    # Not a column: what an ensure had to do, on the answer of that ensure only.
    ensured: Ensured | None = None
    __allow_unmapped__ = True

    @property
    def message_count(self) -> int:
        """How many messages the chat has."""
        return self.last_seq

    def ensured_as(self, how: Ensured) -> "ChatSession":
        """Return a copy that says what an ensure did; the row itself stays unmarked, because loaders share it."""
        marked = ChatSession.as_loaded({name: getattr(self, name) for name in attributes(ChatSession)})
        marked.ensured = how
        return marked


class Message(Owned):
    """One entry of a chat, numbered 1, 2, 3 ... without gaps within it."""

    __tablename__ = "messages"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "chat_id"], ["chat_sessions.workspace_id", "chat_sessions.id"]),
        UniqueConstraint("workspace_id", "chat_id", "seq"),
        UniqueConstraint("workspace_id", "chat_id", "author", "client_id", name="messages_client_key"),
        _one_of("role", MessageRole),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    chat_id: Mapped[str]
    seq: Mapped[int]
    role: Mapped[str]
    author: Mapped[str]
    content: Mapped[str]
    # The sender's own key for a post: sending it again is not a second message.
    client_id: Mapped[str | None]


@cache
def attributes(kind: type[Base]) -> Sequence[str]:
    """Return the names of the attributes that hold the columns of a model, in the order of its table's columns."""
    mapper = inspect(kind)
    return tuple(mapper.get_property_by_column(column).key for column in mapper.local_table.c)
