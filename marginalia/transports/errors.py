"""Errors: what clients see of the exceptions that our resolvers raise and that are no faults."""

import structlog

from db.chat_feed import SlowConsumer
from db.connection.errors import DatabaseUnavailable
from engine.errors import ExpectedError
from services.outcomes import BadArgument, ErrorCode

_log = structlog.stdlib.get_logger("marginalia.graphql")


def describe(raised: BaseException) -> ExpectedError | None:
    """Describe an exception to the client; None: it is a fault."""
    match raised:
        case BadArgument(code=code):
            return ExpectedError(code or "BAD_USER_INPUT")
        case SlowConsumer():
            return ExpectedError("FELL_BEHIND", "Too many events were waiting for you, please subscribe again")
        case DatabaseUnavailable(retry_after_ms=retry_after_ms):
            _log.warning("unavailable", reason=str(raised))
            return ExpectedError(
                ErrorCode.TEMPORARILY_UNAVAILABLE,
                "Temporarily unavailable, please retry",
                {"retryAfterMs": retry_after_ms},
            )
    return None
