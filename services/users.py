"""Users: the people and services known to a workspace, identified by the id in their tokens."""

from dataclasses import dataclass

from db import ids
from db.principals import Role
from db.store import Store


@dataclass(frozen=True)
class User:
    """A user, as other users see them."""

    id: str
    name: str


@dataclass(frozen=True)
class Workspace:
    """The tenant of the viewer."""

    id: str
    name: str


@dataclass(frozen=True)
class Viewer:
    """The user who sends the request, with their workspace and role."""

    user: User
    workspace: Workspace
    role: Role | None
    """None: the user has rights on some documents only."""


def user(user_id: str) -> User:
    """Return the user for an id that was stored with an object."""
    # Users have no profiles yet, so the id is also the name.
    return User(ids.USER + user_id, user_id)


def viewer(store: Store) -> Viewer:
    """Return the viewer of the store's principal."""
    principal = store.principal
    workspace = Workspace(ids.WORKSPACE + principal.workspace_id, principal.workspace_id)
    return Viewer(user(store.principal.user_id), workspace, principal.role)
