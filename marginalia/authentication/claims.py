"""Claims: what a verified token says about its user, their workspace and their rights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from db import ids
from db.models import UserKind
from db.principals import Principal, Role
from db.users import Profile
from marginalia.authentication.credentials import is_user_id, one_line
from marginalia.authentication.session import Unauthenticated

MAX_DOCUMENTS = 1_000
"""The maximum number of documents in the claim `documents`."""

MAX_AVATAR_CHARACTERS = 2_000


@dataclass(frozen=True)
class ClaimNames:
    """Where the claims of an issuer are: a name, or a path of names joined by dots."""

    user: str = "sub"
    workspace: str = "workspace"
    role: str = "role"
    name: str = "name"
    avatar: str = "avatar"
    documents: str | None = "documents"
    fixed_workspace: str | None = None
    """The workspace of all users, whatever a token says."""
    default_role: Role | None = None
    """The role of users whose token names none. None: such a token is refused."""


def identify(claims: Mapping[str, Any], names: ClaimNames, now: float) -> tuple[Principal, Profile]:
    """Return the principal of verified claims, and how they name the user. Raises `Unauthenticated`."""
    user_id = _claim(claims, names.user)
    if not isinstance(user_id, str) or not is_user_id(user_id):
        raise Unauthenticated(f"the claim {names.user} is not the id of a user")
    workspace_id = names.fixed_workspace or _claim(claims, names.workspace)
    if not is_workspace_id(workspace_id):
        raise Unauthenticated(f"the claim {names.workspace} is not the id of a workspace")
    documents = _documents(_claim(claims, names.documents)) if names.documents else None
    role = None if documents is not None else _role(_claim(claims, names.role), names)
    name = _claim(claims, names.name)
    profile = Profile(
        workspace_id,
        user_id,
        UserKind.PERSON,
        (one_line(name) if isinstance(name, str) else "") or user_id,
        _avatar(_claim(claims, names.avatar)),
        datetime.fromtimestamp(min(max(claims.get("iat", now), 0), now), UTC),
    )
    return Principal(user_id, workspace_id, role, UserKind.PERSON, documents), profile


def is_workspace_id(given: object) -> bool:
    """Whether a workspace can have this id: 1 to 200 visible characters."""
    return isinstance(given, str) and 0 < len(given) <= 200 and given.isprintable() and " " not in given


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def _role(given: object, names: ClaimNames) -> Role:
    """Return the highest role that the claim names: identity providers give lists of roles or groups."""
    listed: Sequence[object] = given if isinstance(given, list) else [given]
    roles = [role for each in listed if (role := _named(each)) is not None]
    if not roles and names.default_role is not None:
        return names.default_role
    if not roles:
        raise Unauthenticated(f"the claim {names.role} is none of {', '.join(Role.__members__)}")
    return max(roles)


def _documents(given: object) -> Mapping[str, Role] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or len(given) > MAX_DOCUMENTS:
        raise Unauthenticated(f"the claim documents is not an object of at most {MAX_DOCUMENTS:,} ids")
    documents: dict[str, Role] = {}
    for document_id, named in given.items():
        role = _named(named)
        if role is None or role is Role.OWNER or not ids.is_findable(document_id):
            raise Unauthenticated("the claim documents has an entry that is not an id and READER, COMMENTER or EDITOR")
        own = document_id if document_id.startswith(ids.DOCUMENT) else ids.DOCUMENT + document_id
        documents[own] = max(role, documents.get(own, role))
    return documents


def _named(given: object) -> Role | None:
    return Role.__members__.get(given.upper()) if isinstance(given, str) else None


def _avatar(given: object) -> str | None:
    """Return the URL of an avatar, or None: one that is not an http(s) URL is dropped."""
    if not isinstance(given, str) or len(given) > MAX_AVATAR_CHARACTERS or not given.isprintable() or " " in given:
        return None
    try:
        url = urlsplit(given)
        return given if url.scheme in ("http", "https") and url.hostname and not url.username else None
    except ValueError:
        return None
