"""The callers: fifty principals, each with the credentials that a real one would send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from db.connection.database import Database
from db.models import Document
from db.principals import Principal, Role
from tests.checkers.isolation.world import ROLES, WORKSPACES, Home, canary, role_of
from tests.support import tokens


@dataclass(frozen=True)
class Caller:
    """A principal, and the headers of its requests."""

    principal: Principal
    """As it should be; guests and keys have further details."""
    headers: Mapping[str, str]


async def callers(database: Database, world: Mapping[str, Home]) -> Sequence[Caller]:
    """Return 25 callers of each workspace: users, API keys that act for users, guests, and tokens for some documents.

    The same user ids are in both.
    """
    return [caller for each in WORKSPACES for caller in await _of_workspace(database, each, world[each])]


async def _of_workspace(database: Database, here: str, home: Home) -> Sequence[Caller]:
    name = canary(here, "user")
    found = []
    for number in range(len(ROLES)):
        user, role = f"u{number}", role_of(here, number)
        token = tokens.sign(sub=user, workspace=here, role=role.name, name=f"{name} {user}")
        found.append(Caller(Principal(user, here, role), tokens.bearer(token)))
    for role in (Role.READER, Role.EDITOR):
        secret, _ = await tokens.api_key(database, workspace_id=here, role=role, name=name)
        for user in ("u7", "u12"):
            found.append(Caller(Principal(user, here, role), {**tokens.bearer(secret), "Marginalia-User": user}))
    for kind, role in (
        ("open", Role.READER),
        ("restricted", Role.COMMENTER),
        ("edit", Role.READER),
        ("binned", Role.COMMENTER),
    ):
        document = home.kinds[kind]
        secret, _ = await tokens.share_link(database, Document(workspace_id=here, id=document), role=role)
        principal = Principal(f"guest of {document}", here, None, documents={document: role})
        found.append(Caller(principal, {**tokens.bearer(secret), "Marginalia-Guest-Name": quote(name)}))
    for number, named in enumerate(
        (
            {"restricted": Role.EDITOR, "binned_edit": Role.EDITOR, "binned_read": Role.READER},
            {"open": Role.READER, "own": Role.COMMENTER},
            {"comment": Role.COMMENTER},
        )
    ):
        documents = {home.kinds[kind]: role for kind, role in named.items()}
        claimed = {document: role.name for document, role in documents.items()}
        token = tokens.sign(sub=f"u{number}", workspace=here, role=None, documents=claimed, name=f"{name} u{number}")
        found.append(Caller(Principal(f"u{number}", here, None, documents=documents), tokens.bearer(token)))
    return found
