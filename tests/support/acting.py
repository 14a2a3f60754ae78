"""Acting: an authentication with which a test chooses who asks."""

from collections.abc import Callable

from db.principals import Principal
from marginalia.authentication.credentials import Credentials
from marginalia.authentication.local import LOCAL_OWNER
from marginalia.authentication.session import Session

PrincipalProvider = Callable[[], Principal]
"""Tells who asks, anew for each operation and each event."""


class Acting:
    """An authentication that believes a test, whatever a request carries."""

    def __init__(self, who: PrincipalProvider) -> None:
        self._session = _Session(who)

    async def authenticate(self, _credentials: Credentials) -> Session:
        """Return the session of whoever asks."""
        return self._session

    async def close(self) -> None:
        """Do nothing."""


class _Session(Session):
    def __init__(self, who: PrincipalProvider) -> None:
        super().__init__(LOCAL_OWNER)
        self._who = who

    def principal(self) -> Principal:
        """Ask the test."""
        return self._who()
