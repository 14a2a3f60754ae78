"""Expected errors: how clients see exceptions from resolvers that are not faults."""

import structlog

from db.chat_feed import SlowConsumer
from db.connection.errors import DatabaseUnavailable
from engine.errors import ExpectedError
from marginalia.authentication.session import SessionEnded
from services.outcomes import BadArgument, ErrorCode

_log = structlog.stdlib.get_logger("marginalia.graphql")


def describe(raised: BaseException) -> ExpectedError | None:
    """Return the client's view of an exception. None: it is a fault."""
    match raised:
        case BadArgument(code=code):
            return ExpectedError(code or "BAD_USER_INPUT")
        case SessionEnded(code=end):
            return ExpectedError(end, str(raised))
        case SlowConsumer():
            return ExpectedError("SLOW_CONSUMER", "Too many events were undelivered, please subscribe again")
        case DatabaseUnavailable(retry_after_ms=retry_after_ms):
            _log.warning("unavailable", reason=str(raised))
            return ExpectedError(
                ErrorCode.TEMPORARILY_UNAVAILABLE,
                "Temporarily unavailable, please retry",
                {"retryAfterMs": retry_after_ms},
            )
    return None
