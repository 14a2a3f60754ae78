"""The world of the access matrix: places that differ in who may see them, with an object of every kind in each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from db import ids
from db.connection.database import Database
from db.models import (
    ApiKey,
    AuditEntry,
    Base,
    ChatSession,
    Document,
    Grant,
    Message,
    Placement,
    Section,
    ShareLink,
    User,
    UserKind,
    Workspace,
)
from db.principals import Principal, Role
from services.access import LEAST_ROLES, Action
from tests.support.tokens import sign

PLACES: Mapping[str, str] = {"open": "local", "restricted": "local", "elsewhere": "local", "theirs": "other"}
"""The workspace of each place. All but the open one are restricted, except for those of the other workspace."""

SEEN_WITH: Mapping[str, Action] = {
    "trashed_document": Action.USE_TRASH,
    "trashed_section": Action.USE_TRASH,
    "link": Action.SHARE,
    "grant": Action.SHARE,
    "key": Action.MANAGE_KEYS,
    "audit": Action.READ_AUDIT,
    "taken_document": Action.PURGE,
    "taken_section": Action.PURGE,
}
"""The action that one needs to see an object of a kind; READ for all others."""

OF_WORKSPACE = {"key", "audit", "user", "workspace", "taken_document", "taken_section"}
"""The kinds of objects that no document has."""


@dataclass(frozen=True)
class Who:
    """A kind of user, and the roles by the text of the design."""

    workspace: str
    role: Role | None
    grants: Mapping[str, Role] = field(default_factory=dict)
    """The roles granted, by place."""
    named: Mapping[str, Role] | None = None
    """The roles on the documents that a token or a link is good for, by place."""

    def role_on(self, kind: str, place: str) -> Role | None:
        """Return the role on an object of a kind in a place; None if it may not be seen."""
        role = self._role_on(kind, place)
        return role if may(role, SEEN_WITH.get(kind, Action.READ)) else None

    def _role_on(self, kind: str, place: str) -> Role | None:
        if PLACES[place] != self.workspace:
            return None
        if kind == "workspace":
            return Role.READER
        if kind in OF_WORKSPACE:
            return self.role
        if self.named is not None:
            # The document in the trash is another document.
            return None if kind == "trashed_document" else self.named.get(place)
        if self.role is Role.OWNER:
            return Role.OWNER
        roles = [self.grants.get(place), self.role if place in ("open", "theirs") else None]
        return max((role for role in roles if role), default=None)


def may(role: Role | None, action: Action) -> bool:
    return role is not None and role >= LEAST_ROLES[action]


PRINCIPALS: Mapping[str, Who] = {
    "owner": Who("local", Role.OWNER),
    "editor": Who("local", Role.EDITOR),
    "commenter": Who("local", Role.COMMENTER),
    "reader": Who("local", Role.READER),
    "backend": Who("local", Role.EDITOR),
    "granted": Who("local", Role.READER, grants={"restricted": Role.EDITOR}),
    "granted_less": Who("local", Role.EDITOR, grants={"restricted": Role.COMMENTER}),
    "guest": Who("local", None, named={"restricted": Role.COMMENTER}),
    "stranger": Who("local", None, named={"elsewhere": Role.EDITOR}),
    "outsider": Who("other", Role.OWNER),
}
"""The principals: members of a workspace, the key of a backend, users with a grant, a guest with a share link, a user
whose token is good for one other document, and the owner of another workspace."""

EXPIRED, REVOKED = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


class World:
    """The ids and texts of a world. A test can have several, one after the other, in one database."""

    def __init__(self, number: int) -> None:
        self.number = number

    def id(self, kind: str, place: str) -> str:
        """Return the id of the object of a kind in a place."""
        name = f"{place}{self.number}"
        match kind:
            case "grant":
                return ids.of_grant(self.id("document", place), self.id("user", place).removeprefix(ids.USER))
            case "user":
                return f"{ids.USER}person_{name}"
            case "workspace":
                return ids.WORKSPACE + PLACES[place]
            case "trashed_document" | "taken_document":
                return f"{ids.DOCUMENT}{kind}_{name}"
            case "trashed_section" | "taken_section" | "quiet_section":
                return f"{ids.SECTION}{kind}_{name}"
        return f"{PREFIXES[kind]}{name}"

    def text(self, place: str) -> str:
        """Return the text that all objects of a place have."""
        return f"Only in {place}{self.number}."

    def name(self, place: str) -> str:
        """Return the name of the user of a place, whom the members of the workspace may see."""
        return f"Someone of {PLACES[place]}{self.number}."

    def secret(self, name: str) -> str:
        """Return the secret of a key (`backend`) or a link (`guest`), or of one that expired or was revoked."""
        prefix = "mgl_" if name.startswith("guest") else "mg_"
        return prefix + f"{name}{self.number}".ljust(43, "x")

    def token(self, name: str) -> str:
        """Return the token of a principal."""
        who = PRINCIPALS[name]
        if name in ("guest", "backend"):
            return self.secret(name)
        if who.named is not None:
            named = {self.id("document", place): role.name for place, role in who.named.items()}
            return sign(sub=name, workspace=who.workspace, role=None, documents=named)
        assert who.role is not None
        return sign(sub=name, workspace=who.workspace, role=who.role.name)

    def dead_tokens(self) -> Mapping[str, str]:
        """Return a token of every kind that expired or was revoked."""
        dead = ("backend_expired", "backend_revoked", "guest_expired", "guest_revoked")
        return {"expired": sign(role="OWNER", exp=1), **{name: self.secret(name) for name in dead}}

    def principal(self, name: str) -> Principal:
        """Return a principal as its token would make it."""
        who = PRINCIPALS[name]
        named = who.named and {self.id("document", place): role for place, role in who.named.items()}
        return Principal(name, who.workspace, who.role, documents=named)

    async def build(self, database: Database) -> "World":
        """Store the world, beside those before."""
        async with database.begin() as session:
            if self.number == 0:
                session.add(Workspace(workspace_id="other"))
                await session.flush()
            # What refers to other rows comes after them.
            for rows in zip(*(self._rows(place) for place in PLACES), strict=True):
                session.add_all([row for each in rows for row in each])
                await session.flush()
        return self

    def _rows(self, place: str) -> list[list[Base]]:
        there, text = {"workspace_id": PLACES[place]}, self.text(place)
        made: dict[str, Any] = {**there, "created_by": self.id("user", place).removeprefix(ids.USER)}
        labelled = {**made, "tags": ["a tag"]}
        document = self.id("document", place)
        trashed = datetime.now(UTC)
        access = {} if place in ("open", "theirs") else {"access": "RESTRICTED"}
        documents = [
            Document(id=document, title=text, **access, **labelled),
            Document(id=self.id("trashed_document", place), title=text, deleted_at=trashed, **access, **made),
            Document(id=self.id("taken_document", place), title=text, **{**made, "access": "RESTRICTED"}),
        ]
        standing = ("section", "quiet_section", "trashed_section")
        sections = [
            Section(
                id=self.id(kind, place),
                title=text,
                deleted_at=trashed if kind == "trashed_section" else None,
                **labelled,
            )
            for kind in standing
        ]
        hidden = Section(id=self.id("taken_section", place), title=text, removed_from="doc_purged", **made)
        section, chat = sections[0], self.id("chat", place)
        section.chat_session_id = chat
        placements = [
            Placement(document_id=document, section_id=each.id, position=f"a{number}", **there)
            for number, each in enumerate(sections)
        ]
        granted = {
            self.id("user", place).removeprefix(ids.USER): Role.READER,
            **{name: who.grants[place] for name, who in PRINCIPALS.items() if place in who.grants},
        }
        grants = [
            Grant(document_id=each, user_id=user, role=role, granted_by="somebody", **there)
            for each in (document, self.id("trashed_document", place))
            for user, role in granted.items()
        ]
        message = {"role": "USER", "author": made["created_by"], "content": text, "seq": 1}
        audit = {"action": "GRANT_ROLE", "outcome": "DONE", "details": {"role": text}}
        key = {"name": text, "role": Role.EDITOR, **made}
        secrets = self._secrets(document) if place == "restricted" else []
        return [
            [*documents, *sections, hidden, User(id=made["created_by"], name=self.name(place), **there)],
            [*placements, ChatSession(id=chat, section_id=section.id, document_id=document, last_seq=1, **made)],
            [Message(id=self.id("message", place), chat_id=chat, **message, **there), *grants],
            [
                *secrets,
                ShareLink(id=self.id("link", place), document_id=document, digest="0", role=Role.READER, **made),
                ApiKey(id=self.id("key", place), digest="0", **key),
                AuditEntry(id=self.id("audit", place), actor=made["created_by"], subject_id=document, **audit, **there),
            ],
        ]

    def _secrets(self, document: str) -> list[Base]:
        dead = {"": {}, "_expired": {"expires_at": EXPIRED}, "_revoked": {"revoked_at": REVOKED}}
        made = {"workspace_id": "local", "created_by": "owner"}
        rows: list[Base] = []
        for name, values in dead.items():
            digests = [sha256(self.secret(who + name).encode()).hexdigest() for who in ("guest", "backend")]
            own = f"{self.number}{name}"
            rows += [
                ShareLink(
                    id=f"link_guest{own}",
                    document_id=document,
                    digest=digests[0],
                    role=Role.COMMENTER,
                    **made,
                    **values,
                ),
                ApiKey(
                    id=f"key_backend{own}",
                    name="A backend",
                    digest=digests[1],
                    role=Role.EDITOR,
                    kind=UserKind.SERVICE,
                    **made,
                    **values,
                ),
            ]
        return rows


PREFIXES = {
    "document": ids.DOCUMENT,
    "section": ids.SECTION,
    "chat": ids.CHAT,
    "message": ids.MESSAGE,
    "link": ids.SHARE_LINK,
    "key": ids.API_KEY,
    "audit": ids.AUDIT_ENTRY,
    "user": ids.USER,
}
