"""The refusal of an operation because its user has to wait."""

from typing import Any

CODE = "RATE_LIMITED"


class RateLimited(Exception):
    """The user has to wait. Nothing was executed."""

    def __init__(self, message: str, retry_after_ms: int) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms

    @property
    def error(self) -> dict[str, Any]:
        """The error of the response."""
        return {"message": str(self), "extensions": {"code": CODE, "retryAfterMs": self.retry_after_ms}}
