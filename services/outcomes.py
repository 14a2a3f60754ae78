"""Outcomes: every expected "no", as a value with the ids it is about.

An outcome means that nothing was changed; only after `TemporarilyUnavailable` something may have been. Then it is safe
to repeat all but a post without a client id and a creation without an id of one's own.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from db.connection.retry import RETRY_AFTER_MS
from db.outcome import Outcome as Outcome


class ErrorCode(StrEnum):
    """The names of the outcomes, for programs to match on."""

    CHAT_SESSION_NOT_FOUND = "CHAT_SESSION_NOT_FOUND"
    CLIENT_ID_CONFLICT = "CLIENT_ID_CONFLICT"
    DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    ID_TAKEN = "ID_TAKEN"
    INVALID_INPUT = "INVALID_INPUT"
    NOT_IN_TRASH = "NOT_IN_TRASH"
    SECTION_NOT_FOUND = "SECTION_NOT_FOUND"
    SECTION_NOT_IN_DOCUMENT = "SECTION_NOT_IN_DOCUMENT"
    TEMPORARILY_UNAVAILABLE = "TEMPORARILY_UNAVAILABLE"


@dataclass(frozen=True)
class DocumentNotFound(Outcome):
    """No such document that the principal may see."""

    doc_id: str
    code: ClassVar = ErrorCode.DOCUMENT_NOT_FOUND
    message: ClassVar = "Document not found"


@dataclass(frozen=True)
class SectionNotFound(Outcome):
    """No such section that the principal may see."""

    section_id: str
    code: ClassVar = ErrorCode.SECTION_NOT_FOUND
    message: ClassVar = "Section not found"


@dataclass(frozen=True)
class SectionNotInDocument(Outcome):
    """The document and the section exist, but the section does not stand in the document."""

    doc_id: str
    section_id: str
    code: ClassVar = ErrorCode.SECTION_NOT_IN_DOCUMENT
    message: ClassVar = "Section not found in this document"


@dataclass(frozen=True)
class ChatSessionNotFound(Outcome):
    """No such chat session that the principal may see."""

    chat_id: str
    code: ClassVar = ErrorCode.CHAT_SESSION_NOT_FOUND
    message: ClassVar = "Chat session not found"


@dataclass(frozen=True)
class Forbidden(Outcome):
    """The principal may see this, but its role does not allow the change."""

    subject_id: str | None = None
    code: ClassVar = ErrorCode.FORBIDDEN
    message: ClassVar = "Your role does not allow this"


@dataclass(frozen=True)
class Violation:
    """Why one argument cannot be accepted."""

    path: tuple[str, ...]
    """The names that lead to it: the argument, then the fields of input objects."""
    message: str


@dataclass(frozen=True)
class InvalidInput(Outcome):
    """Arguments that cannot be accepted, and why."""

    violations: tuple[Violation, ...]
    code: ClassVar = ErrorCode.INVALID_INPUT

    @property
    def message(self) -> str:
        """All violations, as one sentence."""
        return "; ".join(f"{'.'.join(violation.path)} {violation.message}" for violation in self.violations)

    @classmethod
    def of(cls, argument: str, message: str) -> "InvalidInput":
        """Return the outcome for one argument."""
        return cls((Violation((argument,), message),))


@dataclass(frozen=True)
class IdTaken(Outcome):
    """The id chosen for a new document or section is in use."""

    taken_id: str
    code: ClassVar = ErrorCode.ID_TAKEN
    message: ClassVar = "This id is taken"


@dataclass(frozen=True)
class NotInTrash(Outcome):
    """Only what is in the trash is taken away for good."""

    subject_id: str
    code: ClassVar = ErrorCode.NOT_IN_TRASH
    message: ClassVar = "This is not in the trash"


@dataclass(frozen=True)
class ClientIdConflict(Outcome):
    """The client id was used in this chat before, for a message with other text."""

    chat_id: str
    client_id: str
    message_id: str
    code: ClassVar = ErrorCode.CLIENT_ID_CONFLICT
    message: ClassVar = "This client id was used for a message with other text"


@dataclass(frozen=True)
class TemporarilyUnavailable(Outcome):
    """The database could not decide in time; the change may or may not have been made."""

    retry_after_ms: int = RETRY_AFTER_MS
    code: ClassVar = ErrorCode.TEMPORARILY_UNAVAILABLE
    message: ClassVar = "Temporarily unavailable, please retry"


class BadArgument(ValueError):
    """An argument that cannot be accepted, where there is no union to say so; the text says why.

    `code` names the outcome that it would be in a union; None: there is no closer name than a bad argument.
    """

    def __init__(self, reason: str, code: ErrorCode | None = None) -> None:
        super().__init__(reason)
        self.code = code
