"""Errors: expected errors are shown to clients with a code; faults are logged and masked."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from graphql import GraphQLError

_log = structlog.stdlib.get_logger("engine")


@dataclass(frozen=True)
class ExpectedError:
    """The error that a client sees for an expected exception."""

    code: str
    message: str | None = None
    """None keeps the message of the exception."""
    extensions: Mapping[str, Any] = field(default_factory=dict)


Describe = Callable[[BaseException], ExpectedError | None]
"""Maps an exception raised by a resolver to the error for the client, or to None if the exception is a fault."""


def nothing_expected(_raised: BaseException) -> ExpectedError | None:
    """Treat every exception of a resolver as a fault."""
    return None


def present(errors: Sequence[GraphQLError], describe: Describe = nothing_expected) -> Sequence[GraphQLError]:
    """Add a code to each error, in place. Faults are logged in full and masked."""
    for error in errors:
        raised = error.original_error
        if isinstance(raised, GraphQLError) and raised.nodes is None:
            # A resolver returned a value of the wrong type: an error of the client has nodes in its document. The
            # message of graphql-core quotes the value, which may be private text.
            mask(error, ValueError("The value of a field does not match its type"))
        elif raised is None or isinstance(raised, GraphQLError):
            _give_code(error, "BAD_REQUEST")
        elif expected := describe(raised):
            error.message = expected.message or error.message
            error.extensions = {"code": expected.code, **(error.extensions or {}), **expected.extensions}
        else:
            mask(error, raised)
    return errors


def mask(error: GraphQLError, fault: BaseException) -> GraphQLError:
    """Log a fault in full, and show the client only the id of the log entry."""
    fault_id = uuid.uuid4().hex
    path = ".".join(map(str, error.path or ()))
    _log.error("fault", fault_id=fault_id, path=path, exc_info=fault)
    error.message = f"Internal error {fault_id}"
    error.extensions = {"code": "INTERNAL", "faultId": fault_id}
    return error


def first(errors: Sequence[GraphQLError], most: int) -> Sequence[GraphQLError]:
    """Return the first `most` errors, and one more that counts the rest."""
    if (more := len(errors) - most) <= 0:
        return errors
    _log.info("more errors", count=more)
    return [*errors[:most], GraphQLError(f"There are {more:,} more errors", extensions={"code": "TOO_MANY_ERRORS"})]


def _give_code(error: GraphQLError, code: str) -> None:
    # Not logged: the log line of the operation has the code, and the message can quote what the client sent.
    error.extensions = {"code": code, **(error.extensions or {})}
