"""Users: the people, services, assistants and guests known to a workspace, identified by the id in their tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from db import ids, models
from db.models import UserKind
from db.principals import Role
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.unreadable import Unreadable
from db.store import Store


@dataclass(frozen=True)
class User:
    """A user, as other users see them."""

    id: str
    name: str
    avatar_url: str | None = None
    kind: UserKind = UserKind.PERSON


@dataclass(frozen=True)
class Workspace:
    """The tenant of the viewer."""

    id: str
    name: str


@dataclass(frozen=True)
class Viewer:
    """The user who sends the request, with their role in their workspace."""

    user_id: str
    role: Role | None
    """None: the user has rights on some documents only."""


def viewer(store: Store) -> Viewer:
    """Return the viewer of the store's principal."""
    return Viewer(store.principal.user_id, store.principal.role)


def of_ids(store: Store, user_ids: Sequence[str | Unreadable]) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    """Return the users for ids that are stored with objects. Nothing is read if only ids are selected."""
    if not store.reads_only(User, {"id"}):
        return _named(store, user_ids)
    return [each if isinstance(each, Unreadable) else User(ids.USER + each, each) for each in user_ids]


def of_grants(store: Store, user_ids: Sequence[str | Unreadable]) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    """Return users by the ids that a grant names, which its author chose freely.

    Who has rights on some documents only is told no names: otherwise a grant would tell the name of any user.
    """
    if store.principal.role is not None:
        return of_ids(store, user_ids)
    return [each if isinstance(each, Unreadable) else User(ids.USER + each, each) for each in user_ids]


async def _named(store: Store, user_ids: Sequence[str | Unreadable]) -> Sequence[Loaded[User]]:
    readable = list(dict.fromkeys(each for each in user_ids if not isinstance(each, Unreadable)))
    known = dict(zip(readable, await store.load.users.load_many(readable), strict=True))
    return [each if isinstance(each, Unreadable) else _user(each, known[each]) for each in user_ids]


def _user(user_id: str, known: Loaded[models.User | None]) -> Loaded[User]:
    if isinstance(known, Exception):
        return known
    if known is None:  # for example, an author in a text from another system
        return User(ids.USER + user_id, user_id)
    return User(ids.USER + user_id, known.name, known.avatar_url, UserKind(known.kind))


async def user(store: Store, user_id: str) -> User | None:
    """Return a user of the workspace by node id. Who has rights on some documents only sees no other users."""
    raw = user_id.removeprefix(ids.USER)
    if raw != store.principal.user_id and store.principal.role is None:
        return None
    found = await store.load.users.load(raw)
    if found is None and raw != store.principal.user_id:
        return None
    made = _user(raw, found)
    if isinstance(made, Exception):
        raise made
    return made


async def workspace(store: Store) -> Workspace:
    """Return the workspace of the store's principal."""
    workspace_id = store.workspace_id
    is_named = not store.reads_only(Workspace, {"id"})
    return Workspace(ids.WORKSPACE + workspace_id, (await store.workspace_name() if is_named else None) or workspace_id)
