"""Principals: who is asking. For now everyone is the same local person, so only loopback is served."""

from starlette.requests import HTTPConnection

from db.principals import Principal, Role

LOCAL_OWNER = Principal(user_id="local", workspace_id="local", role=Role.OWNER)


def local_owner(_connection: HTTPConnection) -> Principal:
    """Take everyone for the owner of the local workspace."""
    return LOCAL_OWNER
