"""Users: the people and services known to a workspace, by the id that their tokens give them."""

from dataclasses import dataclass

from db import ids
from db.principals import Role
from db.store import Store


@dataclass(frozen=True)
class User:
    """A user as others see them."""

    id: str
    name: str


@dataclass(frozen=True)
class Workspace:
    """The tenant that the viewer belongs to."""

    id: str
    name: str


@dataclass(frozen=True)
class Viewer:
    """Who is asking, in which workspace, in which role."""

    user: User
    workspace: Workspace
    role: Role


def user(user_id: str) -> User:
    """Return the user with an id that was stored beside something they made."""
    # Nobody signs in yet, so a name is all that a user has, and it is the id.
    return User(ids.USER + user_id, user_id)


def viewer(store: Store) -> Viewer:
    """Return who is asking."""
    principal = store.principal
    workspace = Workspace(ids.WORKSPACE + principal.workspace_id, principal.workspace_id)
    return Viewer(user(store.principal.user_id), workspace, principal.role)
