"""Sessions: the principal of a request or a socket, for as long as its credentials are valid."""

import time
from collections.abc import Awaitable, Callable
from enum import StrEnum

from db.principals import Principal


class Unauthenticated(Exception):
    """The request has no valid credentials. The text is the reason, for the log: clients never see it."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        """What an operator can change, with the name of the setting."""


class AuthenticationUnavailable(Exception):
    """Nobody can tell at present whether the credentials are valid, for example because an issuer is down."""


class End(StrEnum):
    """Why a session ended: the code that the client gets."""

    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105 - not a secret
    TOKEN_REVOKED = "TOKEN_REVOKED"  # noqa: S105 - not a secret
    ACCESS_REVOKED = "ACCESS_REVOKED"


MESSAGES = {
    End.TOKEN_EXPIRED: "The token has expired",
    End.TOKEN_REVOKED: "The token was revoked",
    End.ACCESS_REVOKED: "You may no longer see this",
}


class SessionEnded(Exception):
    """The session is over."""

    def __init__(self, code: End) -> None:
        super().__init__(MESSAGES[code])
        self.code = code


class Session:
    """A principal that was authenticated."""

    __slots__ = ("_end", "_expires_at", "_is_valid", "_principal")

    def __init__(
        self,
        principal: Principal,
        expires_at: float | None = None,
        is_valid: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Begin a session that ends at a time, as `time.time` gives it, or when `is_valid` finds it revoked."""
        self._principal = principal
        self._expires_at = expires_at
        self._is_valid = is_valid
        self._end: End | None = None

    @property
    def can_end(self) -> bool:
        """Whether the session can end at all."""
        return self._expires_at is not None or self._is_valid is not None

    @property
    def end(self) -> End | None:
        """Why the session is over, as far as is known. None: it is not."""
        if self._end is None and self._expires_at is not None and time.time() >= self._expires_at:
            self._end = End.TOKEN_EXPIRED
        return self._end

    def principal(self) -> Principal:
        """Return the principal. Raises `SessionEnded`."""
        if end := self.end:
            raise SessionEnded(end)
        return self._principal

    async def check(self) -> None:
        """Look whether the credentials were revoked. Raises `DatabaseUnavailable`."""
        if self._is_valid is not None and self.end is None and not await self._is_valid():
            self._end = End.TOKEN_REVOKED
