"""Outcomes: every expected failure, as a value with the ids that it concerns.

After an outcome nothing was changed, except that `TemporarilyUnavailable` leaves this open. A retry is then safe,
unless it is a post without a client id or a creation without an id chosen by the caller.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from db.connection.retry import RETRY_AFTER_MS
from db.outcome import Outcome as Outcome


class ErrorCode(StrEnum):
    """The error codes, for programs to match on."""

    API_KEY_NOT_FOUND = "API_KEY_NOT_FOUND"
    CHAT_SESSION_NOT_FOUND = "CHAT_SESSION_NOT_FOUND"
    CLIENT_ID_CONFLICT = "CLIENT_ID_CONFLICT"
    DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    ID_TAKEN = "ID_TAKEN"
    INVALID_INPUT = "INVALID_INPUT"
    NOT_IN_TRASH = "NOT_IN_TRASH"
    SECTION_NOT_FOUND = "SECTION_NOT_FOUND"
    SECTION_NOT_IN_DOCUMENT = "SECTION_NOT_IN_DOCUMENT"
    SHARE_LINK_NOT_FOUND = "SHARE_LINK_NOT_FOUND"
    STORAGE_LIMIT_EXCEEDED = "STORAGE_LIMIT_EXCEEDED"
    TEMPORARILY_UNAVAILABLE = "TEMPORARILY_UNAVAILABLE"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    VERSION_NOT_FOUND = "VERSION_NOT_FOUND"


@dataclass(frozen=True)
class DocumentNotFound(Outcome):
    """The document does not exist, or the principal may not see it."""

    doc_id: str
    code: ClassVar = ErrorCode.DOCUMENT_NOT_FOUND
    message: ClassVar = "Document not found"


@dataclass(frozen=True)
class SectionNotFound(Outcome):
    """The section does not exist, or the principal may not see it."""

    section_id: str
    code: ClassVar = ErrorCode.SECTION_NOT_FOUND
    message: ClassVar = "Section not found"


@dataclass(frozen=True)
class SectionNotInDocument(Outcome):
    """The document and the section exist, but the section is not in the document."""

    doc_id: str
    section_id: str
    code: ClassVar = ErrorCode.SECTION_NOT_IN_DOCUMENT
    message: ClassVar = "Section not found in this document"


@dataclass(frozen=True)
class ChatSessionNotFound(Outcome):
    """The chat session does not exist, or the principal may not see it."""

    chat_id: str
    code: ClassVar = ErrorCode.CHAT_SESSION_NOT_FOUND
    message: ClassVar = "Chat session not found"


@dataclass(frozen=True)
class ApiKeyNotFound(Outcome):
    """The API key does not exist in this workspace."""

    key_id: str
    code: ClassVar = ErrorCode.API_KEY_NOT_FOUND
    message: ClassVar = "API key not found"


@dataclass(frozen=True)
class ShareLinkNotFound(Outcome):
    """The share link does not exist, or the principal may not see it."""

    link_id: str
    code: ClassVar = ErrorCode.SHARE_LINK_NOT_FOUND
    message: ClassVar = "Share link not found"


@dataclass(frozen=True)
class Forbidden(Outcome):
    """The principal may see the object, but its role does not allow the change."""

    subject_id: str | None = None
    code: ClassVar = ErrorCode.FORBIDDEN
    message: ClassVar = "Your role does not allow this"


@dataclass(frozen=True)
class Violation:
    """The reason one argument is invalid."""

    path: tuple[str, ...]
    """The name of the argument, then the fields of input objects."""
    message: str


@dataclass(frozen=True)
class InvalidInput(Outcome):
    """One or more arguments are invalid; the violations give the reasons."""

    violations: tuple[Violation, ...]
    code: ClassVar = ErrorCode.INVALID_INPUT

    @property
    def message(self) -> str:
        """All violations, as one sentence."""
        return "; ".join(f"{'.'.join(violation.path)} {violation.message}" for violation in self.violations)

    @classmethod
    def of(cls, argument: str, message: str) -> "InvalidInput":
        """Return the outcome for one invalid argument, or a field of it, such as `changes.status`."""
        return cls((Violation(tuple(argument.split(".")), message),))


@dataclass(frozen=True)
class IdTaken(Outcome):
    """The id chosen for a new document or section is already in use."""

    taken_id: str
    code: ClassVar = ErrorCode.ID_TAKEN
    message: ClassVar = "This id is taken"


@dataclass(frozen=True)
class VersionConflict(Outcome):
    """The object has another version than the principal expected: somebody else changed it."""

    subject_id: str
    current_version: int
    code: ClassVar = ErrorCode.VERSION_CONFLICT
    message: ClassVar = "This was changed meanwhile"


@dataclass(frozen=True)
class VersionNotFound(Outcome):
    """The object exists, but has no such version."""

    subject_id: str
    missing_version: int
    code: ClassVar = ErrorCode.VERSION_NOT_FOUND
    message: ClassVar = "There is no such version"


@dataclass(frozen=True)
class NotInTrash(Outcome):
    """The item is not in the trash. Only a trashed item can be purged."""

    subject_id: str
    code: ClassVar = ErrorCode.NOT_IN_TRASH
    message: ClassVar = "This is not in the trash"


@dataclass(frozen=True)
class ClientIdConflict(Outcome):
    """The client id was already used in this chat for a message with different text."""

    chat_id: str
    client_id: str
    message_id: str
    code: ClassVar = ErrorCode.CLIENT_ID_CONFLICT
    message: ClassVar = "This client id was used for a message with different text"


@dataclass(frozen=True)
class StorageLimitExceeded(Outcome):
    """The workspace holds as much text as it may."""

    used_bytes: int
    limit_bytes: int
    code: ClassVar = ErrorCode.STORAGE_LIMIT_EXCEEDED
    message: ClassVar = "This workspace is full"


@dataclass(frozen=True)
class TemporarilyUnavailable(Outcome):
    """The server could not finish in time; the change may or may not have been made."""

    retry_after_ms: int = RETRY_AFTER_MS
    code: ClassVar = ErrorCode.TEMPORARILY_UNAVAILABLE
    message: ClassVar = "Temporarily unavailable, please retry"


class BadArgument(ValueError):
    """An argument is invalid, and the field has no result union to report it; the message says why.

    `code` is the error code of the matching outcome, or None if no outcome matches.
    """

    def __init__(self, reason: str, code: ErrorCode | None = None) -> None:
        super().__init__(reason)
        self.code = code
