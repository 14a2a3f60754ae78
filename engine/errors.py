"""Errors: which of them clients see as they are, and which are logged and masked."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from graphql import GraphQLError

_log = structlog.stdlib.get_logger("engine")


@dataclass(frozen=True)
class ExpectedError:
    """What a client sees of an exception that is no fault."""

    code: str
    message: str | None = None
    """None: the exception's own."""
    extensions: Mapping[str, Any] = field(default_factory=dict)


Describe = Callable[[BaseException], ExpectedError | None]
"""Describes an exception that a resolver has raised; None: it is a fault."""


def nothing_expected(_raised: BaseException) -> ExpectedError | None:
    """Take every exception of a resolver for a fault."""
    return None


def present(errors: Sequence[GraphQLError], describe: Describe = nothing_expected) -> Sequence[GraphQLError]:
    """Give each error its code, in place; a fault is logged in full and masked."""
    for error in errors:
        raised = error.original_error
        if isinstance(raised, GraphQLError) and raised.nodes is None:
            # The value of a field is not one of its type; what clients do wrong stands in their text. The message of
            # graphql-core quotes the value, which may be somebody's text.
            mask(error, ValueError("The value of a field is not one of its type"))
        elif raised is None or isinstance(raised, GraphQLError):
            _give_code(error, "BAD_REQUEST")
        elif expected := describe(raised):
            error.message = expected.message or error.message
            error.extensions = {"code": expected.code, **(error.extensions or {}), **expected.extensions}
        else:
            mask(error, raised)
    return errors


def mask(error: GraphQLError, fault: BaseException) -> GraphQLError:
    """Log a fault in full, and show the client an id that is in the log."""
    fault_id = uuid.uuid4().hex
    path = ".".join(map(str, error.path or ()))
    _log.error("fault", fault_id=fault_id, path=path, exc_info=fault)
    error.message = f"Internal error {fault_id}"
    error.extensions = {"code": "INTERNAL", "faultId": fault_id}
    return error


def first(errors: Sequence[GraphQLError], most: int) -> Sequence[GraphQLError]:
    """Return the first errors, and one that says how many more there are."""
    if (more := len(errors) - most) <= 0:
        return errors
    _log.info("more errors", count=more)
    return [*errors[:most], GraphQLError(f"There are {more:,} more errors", extensions={"code": "TOO_MANY_ERRORS"})]


def _give_code(error: GraphQLError, code: str) -> None:
    # What the client did is in the line of the operation; the text of the error can quote what was sent.
    error.extensions = {"code": code, **(error.extensions or {})}
