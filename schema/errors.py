"""Errors: every expected "no" that a mutation can answer."""

import strawberry

from schema.view import View, enum_of, field
from services import outcomes

enum_of(
    outcomes.ErrorCode,
    "The names of the errors, for programs to match on: the name of the type in capitals.",
    {
        outcomes.ErrorCode.CHAT_SESSION_NOT_FOUND: "No such chat session that you may see.",
        outcomes.ErrorCode.CLIENT_ID_CONFLICT: "The client id was used for a message with other text.",
        outcomes.ErrorCode.DOCUMENT_NOT_FOUND: "No such document that you may see.",
        outcomes.ErrorCode.FORBIDDEN: "Your role does not allow this.",
        outcomes.ErrorCode.ID_TAKEN: "The id chosen for something new is in use.",
        outcomes.ErrorCode.INVALID_INPUT: "An argument cannot be accepted.",
        outcomes.ErrorCode.NOT_IN_TRASH: "Only what is in the trash is taken away for good.",
        outcomes.ErrorCode.SECTION_NOT_FOUND: "No such section that you may see.",
        outcomes.ErrorCode.SECTION_NOT_IN_DOCUMENT: "The section does not stand in the document.",
        outcomes.ErrorCode.TEMPORARILY_UNAVAILABLE: "The database could not decide in time.",
    },
)


@strawberry.interface(description="An expected failure. Unless its type says otherwise, nothing was changed.")
class Error:
    """What all errors have; a client that selects it survives a new one."""

    message: str = field("What happened, for people.")
    code: outcomes.ErrorCode = field("What happened, for programs.")


@strawberry.type(description="No such document that you may see.")
class DocumentNotFound(View, Error):
    """Rule 1 of ensure, and wherever a document is named."""

    represents = outcomes.DocumentNotFound

    doc_id: strawberry.ID = field("The id that was asked for.")


@strawberry.type(description="No such section that you may see.")
class SectionNotFound(View, Error):
    """Rule 2 of ensure, and wherever a section is named."""

    represents = outcomes.SectionNotFound

    section_id: strawberry.ID = field("The id that was asked for.")


@strawberry.type(description="The document and the section exist, but the section does not stand in the document.")
class SectionNotInDocument(View, Error):
    """Rule 3 of ensure, and wherever a placement is named."""

    represents = outcomes.SectionNotInDocument

    doc_id: strawberry.ID = field("The id of the document.")
    section_id: strawberry.ID = field("The id of the section.")


@strawberry.type(description="No such chat session that you may see.")
class ChatSessionNotFound(View, Error):
    """Wherever a chat is named."""

    represents = outcomes.ChatSessionNotFound

    chat_id: strawberry.ID = field("The id that was asked for.")


@strawberry.type(description="You may see this, but your role does not allow the change.")
class Forbidden(View, Error):
    """Rule 7 of ensure, and every other change."""

    represents = outcomes.Forbidden

    subject_id: strawberry.ID | None = field("The id of what may not be changed; null for the workspace itself.")


@strawberry.type(description="Why one argument cannot be accepted.")
class InputViolation(View):
    """One reason of InvalidInput."""

    represents = outcomes.Violation

    path: list[str] = field("The names that lead to it: the argument, then the fields of input objects.")
    message: str = field("Why it cannot be accepted, for people, without the name of the argument.")


@strawberry.type(description="Arguments that cannot be accepted. Nothing was changed.")
class InvalidInput(View, Error):
    """A limit that was passed, or a form that was not kept."""

    represents = outcomes.InvalidInput

    violations: list[InputViolation] = field("Each argument that cannot be accepted, and why; never empty.")


@strawberry.type(description="The id chosen for something new is in use.")
class IdTaken(View, Error):
    """Also the answer to a second try, when the first one arrived."""

    represents = outcomes.IdTaken

    taken_id: strawberry.ID = field("The id that is in use, with its prefix.")


@strawberry.type(description="It is not in the trash, and only what is in there is taken away for good.")
class NotInTrash(View, Error):
    """Whatever is to be purged has to be put into the trash before."""

    represents = outcomes.NotInTrash

    # Nullable as in Forbidden: GraphQL lets nobody select the two beside each other unless their types agree.
    subject_id: strawberry.ID | None = field("The id of what is not in the trash; never null.")


@strawberry.type(description="The client id was used in this chat before, for a message with other text.")
class ClientIdConflict(View, Error):
    """A client id names one message for ever."""

    represents = outcomes.ClientIdConflict

    chat_id: strawberry.ID = field("The id of the chat session.")
    client_id: str = field("The client id.")
    message_id: strawberry.ID = field("The id of the message that has it.")


@strawberry.type(
    description="The database could not decide in time. The change may or may not have been made. It is safe to repeat "
    "all but a post without a clientId and a creation without an id of your own."
)
class TemporarilyUnavailable(View, Error):
    """Rule 8 of ensure, and every other change."""

    represents = outcomes.TemporarilyUnavailable

    retry_after_ms: int = field("How long to wait before the next try, in milliseconds.")
