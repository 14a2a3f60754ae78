"""Errors: every expected failure that a mutation can return."""

import strawberry

from resolvers import nodes
from schema.nodes import Node
from schema.view import View, batched_by, enum_of, field
from services import outcomes

enum_of(
    outcomes.ErrorCode,
    "The error codes, for programs to match on. A code is the name of the error type in capitals.",
    {
        outcomes.ErrorCode.API_KEY_NOT_FOUND: "The API key does not exist.",
        outcomes.ErrorCode.CHAT_SESSION_NOT_FOUND: "The chat session does not exist, or you may not see it.",
        outcomes.ErrorCode.CLIENT_ID_CONFLICT: "The client id was already used for a message with different text.",
        outcomes.ErrorCode.DOCUMENT_NOT_FOUND: "The document does not exist, or you may not see it.",
        outcomes.ErrorCode.FORBIDDEN: "Your role does not allow this.",
        outcomes.ErrorCode.ID_TAKEN: "The id chosen for a new object is already in use.",
        outcomes.ErrorCode.INVALID_INPUT: "An argument is invalid.",
        outcomes.ErrorCode.NOT_IN_TRASH: "The item is not in the trash; only a trashed item can be purged.",
        outcomes.ErrorCode.SECTION_NOT_FOUND: "The section does not exist, or you may not see it.",
        outcomes.ErrorCode.SECTION_NOT_IN_DOCUMENT: "The section is not in the document.",
        outcomes.ErrorCode.SHARE_LINK_NOT_FOUND: "The share link does not exist, or you may not see it.",
        outcomes.ErrorCode.STORAGE_LIMIT_EXCEEDED: "The workspace holds as much text as it may.",
        outcomes.ErrorCode.TEMPORARILY_UNAVAILABLE: "The server could not finish in time; the change may or may not "
        "have been made.",
        outcomes.ErrorCode.VERSION_CONFLICT: "The object has another version than you expected.",
        outcomes.ErrorCode.VERSION_NOT_FOUND: "The object has no such version.",
    },
)


@strawberry.interface(description="An expected failure. Nothing was changed, unless the error type says otherwise.")
class Error:
    """The fields of every error; a client that selects them also handles error types added later."""

    message: str = field("The error message, for people.")
    code: outcomes.ErrorCode = field("The error code, for programs.")


@strawberry.type(description="The document does not exist, or you may not see it.")
class DocumentNotFound(View, Error):
    """Rule 1 of ensure; also the error of any other mutation that takes a document id."""

    represents = outcomes.DocumentNotFound

    doc_id: strawberry.ID = field("The requested id.")


@strawberry.type(description="The section does not exist, or you may not see it.")
class SectionNotFound(View, Error):
    """Rule 2 of ensure; also the error of any other mutation that takes a section id."""

    represents = outcomes.SectionNotFound

    section_id: strawberry.ID = field("The requested id.")


@strawberry.type(description="The document and the section exist, but the section is not in the document.")
class SectionNotInDocument(View, Error):
    """Rule 3 of ensure; also an error of removeSection."""

    represents = outcomes.SectionNotInDocument

    doc_id: strawberry.ID = field("The id of the document.")
    section_id: strawberry.ID = field("The id of the section.")


@strawberry.type(description="The chat session does not exist, or you may not see it.")
class ChatSessionNotFound(View, Error):
    """The error of a mutation that takes a chat id."""

    represents = outcomes.ChatSessionNotFound

    chat_id: strawberry.ID = field("The requested id.")


@strawberry.type(description="The API key does not exist in this workspace.")
class ApiKeyNotFound(View, Error):
    """The error of a mutation that takes the id of an API key."""

    represents = outcomes.ApiKeyNotFound

    key_id: strawberry.ID = field("The requested id.")


@strawberry.type(description="The share link does not exist, or you may not see it.")
class ShareLinkNotFound(View, Error):
    """The error of a mutation that takes the id of a share link."""

    represents = outcomes.ShareLinkNotFound

    link_id: strawberry.ID = field("The requested id.")


@strawberry.type(description="Your role does not allow the change. You may see the object.")
class Forbidden(View, Error):
    """Rule 7 of ensure; also an error of other mutations."""

    represents = outcomes.Forbidden

    subject_id: strawberry.ID | None = field(
        "The id of the object that you may not change; null for the workspace itself."
    )


@strawberry.type(description="The reason one argument is invalid.")
class InputViolation(View):
    """One entry of InvalidInput."""

    represents = outcomes.Violation

    path: list[str] = field("The path to the value: the name of the argument, then the fields of input objects.")
    message: str = field("Why the value is invalid, for people, without the name of the argument.")


@strawberry.type(description="One or more arguments are invalid. Nothing was changed.")
class InvalidInput(View, Error):
    """A limit was exceeded, or a format was violated."""

    represents = outcomes.InvalidInput

    violations: list[InputViolation] = field("Each invalid argument, with the reason; never empty.")


@strawberry.type(description="The id chosen for a new object is already in use.")
class IdTaken(View, Error):
    """The caller chose an id that another object has."""

    represents = outcomes.IdTaken

    taken_id: strawberry.ID = field("The id that is in use, including its prefix.")


@strawberry.type(
    description="The object has another version than you expected, because somebody else changed it. Nothing was "
    "changed by this call."
)
class VersionConflict(View, Error):
    """An error of the mutations that take expectedVersion."""

    represents = outcomes.VersionConflict

    # Nullable as in Forbidden.
    subject_id: strawberry.ID | None = field("The id of the object; never null.")
    current_version: int = field("The version that the object has.")
    current: Node | None = batched_by(nodes.of_conflicts, "The object as it is; null if it was trashed meanwhile.")


@strawberry.type(description="The object has no such version.")
class VersionNotFound(View, Error):
    """An error of the mutations that revert to a version."""

    represents = outcomes.VersionNotFound

    # Nullable as in Forbidden.
    subject_id: strawberry.ID | None = field("The id of the object; never null.")
    missing_version: int = field("The version that it does not have.")


@strawberry.type(description="The item is not in the trash. Only a trashed item can be purged.")
class NotInTrash(View, Error):
    """An item must be moved to the trash before it can be purged."""

    represents = outcomes.NotInTrash

    # Nullable as in Forbidden: a query can select the field of both types only if the two types agree.
    subject_id: strawberry.ID | None = field("The id of the item that is not in the trash; never null.")


@strawberry.type(description="The client id was already used in this chat for a message with different text.")
class ClientIdConflict(View, Error):
    """A client id identifies one message permanently."""

    represents = outcomes.ClientIdConflict

    chat_id: strawberry.ID = field("The id of the chat session.")
    client_id: str = field("The client id that is already in use.")
    message_id: strawberry.ID = field("The id of the message that has the client id.")


@strawberry.type(description="The workspace holds as much text as it may. Purging items from the trash makes room.")
class StorageLimitExceeded(View, Error):
    """An error of the mutations that add text. The use is counted about once a minute."""

    represents = outcomes.StorageLimitExceeded

    # Float: more than 2 GiB is no Int.
    used_bytes: float = field("The bytes of text that the workspace held when it was last counted, as a whole number.")
    limit_bytes: float = field("The bytes of text that the workspace may hold, as a whole number.")


@strawberry.type(
    description="The server could not finish in time; the change may or may not have been made. A retry is safe, "
    "except for a post without a clientId and a creation without an id of your own."
)
class TemporarilyUnavailable(View, Error):
    """Rule 8 of ensure; also an error of every other mutation."""

    represents = outcomes.TemporarilyUnavailable

    retry_after_ms: int = field("How long to wait before a retry, in milliseconds.")
