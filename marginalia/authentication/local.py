"""Local authentication: every request has the same principal, so the server listens on loopback only."""

from starlette.requests import HTTPConnection

from db.principals import Principal, Role

LOCAL_OWNER = Principal(user_id="local", workspace_id="local", role=Role.OWNER)


def local_owner(_connection: HTTPConnection) -> Principal:
    """Return the owner of the local workspace for every request."""
    return LOCAL_OWNER
