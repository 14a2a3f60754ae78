"""The tables: every row belongs to a workspace, and every key begins with its id.

Because of that, the tables can be distributed by workspace on a sharded PostgreSQL, and no foreign key can cross from
one workspace into another. The models have no ORM relationships: loaders read related rows in batches.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, TypeVar

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

from db import ids
from db.times import UtcDateTime, utcnow

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


class UserKind(StrEnum):
    """What a user is."""

    PERSON = "PERSON"
    SERVICE = "SERVICE"
    ASSISTANT = "ASSISTANT"
    GUEST = "GUEST"


class DocumentAccess(StrEnum):
    """Who may use a document: the members of its workspace by their roles, or those with a grant only."""

    WORKSPACE = "WORKSPACE"
    RESTRICTED = "RESTRICTED"


class Ensured(StrEnum):
    """What an ensure did to return the chat of a section."""

    CREATED = "CREATED"
    FOUND = "FOUND"
    REPAIRED = "REPAIRED"


def _of_trash() -> Index:
    """Index the trashed rows only, in the order in which they were trashed."""
    trashed = text("deleted_at IS NOT NULL")
    return Index(None, "workspace_id", "deleted_at", "id", postgresql_where=trashed, sqlite_where=trashed)


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class derived(property):  # noqa: N801 - a decorator
    """A property of a row that is read from columns: `@derived_from(columns)`."""

    columns: Sequence[str] = ()


def derived_from(*columns: str) -> Callable[[Callable[[Any], Any]], Any]:
    """Declare a property, and the columns that it is read from."""

    def declare(read: Callable[[Any], Any]) -> derived:
        declared = derived(read)
        declared.columns = columns
        return declared

    return declare


class Base(DeclarativeBase):
    """The base of all tables. Constraint names are predictable, because code matches on them."""

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


class Workspace(Base):
    """A tenant. No data of one workspace is visible in another."""

    __tablename__ = "workspaces"

    workspace_id: Mapped[str] = mapped_column(primary_key=True)
    # Null: the id is the name.
    name: Mapped[str | None]


class Owned(Base):
    """A row of a workspace."""

    __abstract__ = True

    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.workspace_id"), primary_key=True, sort_order=-2)


class User(Owned):
    """A person, service, assistant or guest known to a workspace, as their tokens name them.

    Other rows name users by id, without a foreign key: text from other systems may have authors unknown to us.
    """

    __tablename__ = "users"
    __table_args__ = (_one_of("kind", UserKind),)

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    kind: Mapped[str] = mapped_column(server_default=text(f"'{UserKind.PERSON}'"))
    name: Mapped[str]
    avatar_url: Mapped[str | None]
    # When the token that gave this name was issued: an older token does not bring an older name back.
    named_at: Mapped[datetime | None]


class Document(Owned):
    """A titled, ordered arrangement of sections."""

    __tablename__ = "documents"
    __table_args__ = (
        _one_of("access", DocumentAccess),
        # The order of the document list, read newest first.
        Index(None, "workspace_id", "created_at", "id"),
        _of_trash(),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    title: Mapped[str]
    description: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    access: Mapped[str] = mapped_column(server_default=text(f"'{DocumentAccess.WORKSPACE}'"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    # The digest of the create call, set if the caller chose the id. It identifies a retry of that call.
    creation_digest: Mapped[str | None]
    created_by: Mapped[str]
    deleted_at: Mapped[datetime | None]


class Section(Owned):
    """A piece of text with a title and a level. It can be placed in several documents."""

    __tablename__ = "sections"
    __table_args__ = (
        CheckConstraint("level BETWEEN 1 AND 6", name="level"),
        _one_of("status", SectionStatus),
        _of_trash(),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    # Null for the text before the first heading of an imported document.
    title: Mapped[str | None]
    level: Mapped[int] = mapped_column(server_default=text("1"))
    content: Mapped[str] = mapped_column(server_default=text("''"))
    status: Mapped[str] = mapped_column(server_default=text(f"'{SectionStatus.DRAFT}'"))
    tags: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    # No foreign key here: the pointer may name a chat that is gone, and ensure repairs it.
    chat_session_id: Mapped[str | None]
    # Link definitions from other sections of the imported document. The section's links need them in other documents.
    link_definitions: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    )
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
        _one_of("role", MessageRole),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    chat_id: Mapped[str]
    seq: Mapped[int]
    role: Mapped[str]
    author: Mapped[str]
    content: Mapped[str]
    # The sender's idempotency key for a post: a retry does not create a second message.
    client_id: Mapped[str | None]


def _of_document() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["workspace_id", "document_id"], ["documents.workspace_id", "documents.id"])


class Grant(Owned):
    """The role of a user on one document. It can raise the role that the user has without it, never lower it."""

    __tablename__ = "grants"
    __table_args__ = (
        _of_document(),
        CheckConstraint("role BETWEEN 1 AND 3", name="role"),
        # The documents that a user has grants on.
        Index(None, "workspace_id", "user_id", "document_id"),
    )

    document_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    # The number of a `Role`; so are the other roles below.
    role: Mapped[int]
    granted_by: Mapped[str]

    @derived_from("document_id", "user_id")
    def id(self) -> str:
        """Return the id for clients; it is stored nowhere."""
        return ids.of_grant(self.document_id, self.user_id)


class ShareLink(Owned):
    """A secret that gives whoever holds it a role on one document, until it expires or is revoked."""

    __tablename__ = "share_links"
    __table_args__ = (
        _of_document(),
        CheckConstraint("role BETWEEN 1 AND 2", name="role"),
        Index(None, "workspace_id", "document_id"),
        Index(None, "digest"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    document_id: Mapped[str]
    # The SHA-256 of the secret, in hexadecimal. The secret itself is shown once and stored nowhere.
    digest: Mapped[str]
    role: Mapped[int]
    created_by: Mapped[str]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ApiKey(Owned):
    """A secret with which a backend acts in a workspace, for itself or for a user."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("role BETWEEN 1 AND 4", name="role"),
        _one_of("kind", UserKind),
        Index(None, "digest"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    name: Mapped[str]
    # As on ShareLink.
    digest: Mapped[str]
    role: Mapped[int]
    # The kind of the user that the key is when it acts for nobody else.
    kind: Mapped[str] = mapped_column(server_default=text(f"'{UserKind.SERVICE}'"))
    created_by: Mapped[str]
    expires_at: Mapped[datetime | None]
    # To the minute: a busy key is not written with each request.
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditEntry(Owned):
    """A security-relevant act: who did what to which object, and with what outcome. It holds no secret and no text."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "workspace_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    actor: Mapped[str]
    action: Mapped[str]
    subject_id: Mapped[str | None]
    outcome: Mapped[str]
    request_id: Mapped[str | None]
    # Facts about the act, such as the role that was granted.
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


@cache
def attributes(kind: type[Base]) -> Sequence[str]:
    """Return the attribute names of a model's columns, in the order of the table."""
    mapper = inspect(kind)
    return tuple(mapper.get_property_by_column(column).key for column in mapper.local_table.c)
