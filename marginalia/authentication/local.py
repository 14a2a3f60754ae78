"""Local authentication: every request has the same principal, so the server listens on loopback only."""

from db.principals import Principal, Role
from marginalia.authentication.credentials import Credentials
from marginalia.authentication.session import Session

LOCAL_OWNER = Principal(user_id="local", workspace_id="local", role=Role.OWNER)


class LocalAuthentication:
    """Everybody is the owner of the local workspace."""

    def __init__(self) -> None:
        self._session = Session(LOCAL_OWNER)

    async def authenticate(self, _credentials: Credentials) -> Session:
        """Return the session of the owner, whatever a request carries."""
        return self._session

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""
