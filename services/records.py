"""Records: rows as JSON objects, for the export of a user and the lines of the audit."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from db import ids
from db.models import (
    ApiKey,
    AuditEntry,
    Base,
    ChatSession,
    Document,
    DocumentRevision,
    Grant,
    Message,
    Section,
    SectionRevision,
    ShareLink,
)
from db.principals import Role

Record = Mapping[str, Any]
"""A row as a JSON object."""

_FIELDS: Mapping[type[Base], tuple[str, Mapping[str, str]]] = {
    Message: (
        "messages",
        {
            "id": "id",
            "chatId": "chat_id",
            "seq": "seq",
            "role": "role",
            "content": "content",
            "clientId": "client_id",
            "createdAt": "created_at",
        },
    ),
    Document: (
        "documents",
        {
            "id": "id",
            "title": "title",
            "description": "description",
            "tags": "tags",
            "metadata": "details",
            "createdAt": "created_at",
            "deletedAt": "deleted_at",
        },
    ),
    Section: (
        "sections",
        {
            "id": "id",
            "title": "title",
            "level": "level",
            "content": "content",
            "status": "status",
            "tags": "tags",
            "metadata": "details",
            "createdAt": "created_at",
            "deletedAt": "deleted_at",
        },
    ),
    DocumentRevision: (
        "documentRevisions",
        {
            "docId": "document_id",
            "version": "version",
            "title": "title",
            "description": "description",
            "tags": "tags",
            "metadata": "details",
            "summary": "change_summary",
            "createdAt": "created_at",
        },
    ),
    SectionRevision: (
        "sectionRevisions",
        {
            "sectionId": "section_id",
            "version": "version",
            "title": "title",
            "level": "level",
            "content": "content",
            "status": "status",
            "tags": "tags",
            "metadata": "details",
            "summary": "change_summary",
            "createdAt": "created_at",
        },
    ),
    ChatSession: (
        "chats",
        {"id": "id", "sectionId": "section_id", "docId": "document_id", "createdAt": "created_at"},
    ),
    Grant: (
        "grants",
        {
            "docId": "document_id",
            "userId": "user_id",
            "role": "role",
            "grantedBy": "granted_by",
            "at": "updated_at",
        },
    ),
    ShareLink: (
        "shareLinks",
        {
            "id": "id",
            "docId": "document_id",
            "role": "role",
            "createdAt": "created_at",
            "expiresAt": "expires_at",
            "revokedAt": "revoked_at",
        },
    ),
    ApiKey: (
        "apiKeys",
        {
            "id": "id",
            "name": "name",
            "role": "role",
            "kind": "kind",
            "createdAt": "created_at",
            "expiresAt": "expires_at",
            "lastUsedAt": "last_used_at",
            "revokedAt": "revoked_at",
        },
    ),
    AuditEntry: (
        "auditEntries",
        {
            "id": "id",
            "actor": "actor",
            "action": "action",
            "subjectId": "subject_id",
            "outcome": "outcome",
            "requestId": "request_id",
            "details": "details",
            "at": "created_at",
        },
    ),
}
"""For each table: the name of its list in an export, and the column of each field. Digests of secrets are left out."""


def name_of(kind: type[Base]) -> str:
    """Return the name of the list of a table in an export."""
    return _FIELDS[kind][0]


def record(row: Base) -> Record:
    """Return a row as a JSON object. Digests of secrets are left out."""
    # A light row is an instance of a subclass.
    fields = next(fields for kind, (_, fields) in _FIELDS.items() if isinstance(row, kind))
    return {field: _value(field, getattr(row, column)) for field, column in fields.items()}


def _value(field: str, value: Any) -> Any:
    match field, value:
        case _, datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case "role", int():
            return Role(value).name
        case (("actor" | "grantedBy" | "userId"), str()):
            return ids.USER + value
    return value
