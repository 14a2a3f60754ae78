"""Authentication: from the credentials of a request to a session."""

from typing import Protocol

from marginalia.authentication.credentials import Credentials
from marginalia.authentication.session import Session


class Authentication(Protocol):
    """A way to authenticate requests."""

    async def authenticate(self, credentials: Credentials) -> Session:
        """Return the session of valid credentials.

        Raises `Unauthenticated`; or `AuthenticationUnavailable` or `DatabaseUnavailable`, if nobody can tell.
        """

    async def close(self) -> None:
        """Release what it holds."""
