"""Workspaces, their users, what gives users their rights, and the record of who did what."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db import ids
from db.models.base import Base, Owned, derived_from, one_of


class UserKind(StrEnum):
    """What a user is."""

    PERSON = "PERSON"
    SERVICE = "SERVICE"
    ASSISTANT = "ASSISTANT"
    GUEST = "GUEST"


class Workspace(Base):
    """A tenant. No data of one workspace is visible in another."""

    __tablename__ = "workspaces"

    workspace_id: Mapped[str] = mapped_column(primary_key=True)
    # Null: the id is the name.
    name: Mapped[str | None]


class User(Owned):
    """A person, service, assistant or guest known to a workspace, as their tokens name them.

    Other rows name users by id, without a foreign key: text from other systems may have authors unknown to us.
    """

    __tablename__ = "users"
    __table_args__ = (one_of("kind", UserKind),)

    id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    kind: Mapped[str] = mapped_column(server_default=text(f"'{UserKind.PERSON}'"))
    name: Mapped[str]
    avatar_url: Mapped[str | None]
    # When the token that gave this name was issued: an older token does not bring an older name back.
    named_at: Mapped[datetime | None]


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
    """A secret. Its holder has a role on one document until the link expires or is revoked."""

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
        one_of("kind", UserKind),
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
