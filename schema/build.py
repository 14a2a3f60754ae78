"""The schema: the roots put together, and what becomes of errors."""

import uuid
from collections.abc import Iterator
from typing import cast

import strawberry
import structlog
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from db.faults import Unavailable
from schema.roots import Mutation, Query
from services.outcomes import BadArgument, ErrorCode

MAX_TOKENS = 10_000
"""How many tokens an operation may have: far more than a person writes, far fewer than hurt."""

MAX_COMMENTS = 1_000
"""How many lines of comment it may have."""

MAX_LENGTH = 1_000_000
"""How many characters it may have. Longer texts go into the variables, which cost nothing to take apart."""

_log = structlog.stdlib.get_logger("marginalia.graphql")


class Schema(strawberry.Schema):
    """Our schema: clients see their own mistakes in full, and of our faults only an id that is in the log."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log each error for what it is, and mask it in place where it is a fault."""
        for error in errors:
            match error.original_error:
                case None | GraphQLError():
                    _tell(error, "BAD_REQUEST")
                case BadArgument():
                    _tell(error, "BAD_USER_INPUT")
                case ValueError() if error.path is None:
                    # A literal that Python cannot read, as an integer of five thousand digits.
                    error.message = "A value is not one of its type"
                    _tell(error, "BAD_REQUEST")
                case RecursionError() if error.path is None:
                    error.message = "The operation is nested too deeply"
                    _tell(error, "BAD_REQUEST")
                case Unavailable(retry_after_ms=retry_after_ms) as unavailable:
                    _log.warning("unavailable", reason=str(unavailable))
                    error.message = "Temporarily unavailable, please retry"
                    error.extensions = {"code": ErrorCode.TEMPORARILY_UNAVAILABLE, "retryAfterMs": retry_after_ms}
                case fault:
                    _mask(error, fault)


class ParserLimits(SchemaExtension):
    """Holds the parser to a size of operation that is quick to take apart, all of it before anything is run."""

    def on_operation(self) -> Iterator[None]:
        """Set the limits, which are off by default."""
        # Strawberry hands all options on to the parser, but has a type for one only.
        options = cast(dict[str, int], self.execution_context.parse_options)
        options.update(max_lexical_tokens=MAX_TOKENS, max_comments=MAX_COMMENTS, max_source_length=MAX_LENGTH)
        yield


def build_schema() -> Schema:
    """Build the schema; everything in it is made here, nothing by import."""
    return Schema(
        query=Query,
        mutation=Mutation,
        extensions=[ParserLimits],
        config=StrawberryConfig(sort_schema=True),
    )


def sdl() -> str:
    """Return the schema as clients know it, in the form of the committed `schema.graphql`."""
    return build_schema().as_str() + "\n"


def _tell(error: GraphQLError, code: str) -> None:
    # Not the text of the error: it can quote what the client sent.
    error.extensions = {"code": code, **(error.extensions or {})}
    _log.info("client error", code=error.extensions["code"])


def _mask(error: GraphQLError, fault: Exception) -> None:
    fault_id = uuid.uuid4().hex
    path = ".".join(map(str, error.path or ()))
    _log.error("fault", fault_id=fault_id, path=path, exc_info=fault)
    error.message = f"Internal error {fault_id}"
    error.extensions = {"code": "INTERNAL", "faultId": fault_id}
