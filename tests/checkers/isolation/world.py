"""The world: two workspaces with the same ids, different rights, and a canary in every text.

A canary names its workspace, and the document or section whose readers may read the text.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from db.connection.database import Database
from db.models import Base, ChatSession, Document, Grant, Message, Placement, Section, Workspace
from db.principals import Principal, Role
from tests.support.rights import Rights

WORKSPACES = ("local", "other")
ROLES = [Role.OWNER] * 2 + [Role.EDITOR] * 4 + [Role.COMMENTER] * 4 + [Role.READER] * 4
TRASHED = datetime(2026, 1, 1, tzinfo=UTC)

RESTRICTED: Mapping[str, Any] = {"access": "RESTRICTED"}
KINDS: Mapping[str, tuple[Mapping[str, Any], Mapping[int, Role]]] = {
    "open": ({}, {}),
    "restricted": (RESTRICTED, {}),
    "own": ({**RESTRICTED, "created_by": 6}, {}),
    "read": (RESTRICTED, {0: Role.READER, 1: Role.READER}),
    "comment": (RESTRICTED, {2: Role.COMMENTER, 3: Role.COMMENTER}),
    "edit": (RESTRICTED, {4: Role.EDITOR}),
    "raised": ({}, {5: Role.EDITOR}),
    "binned": ({"deleted_at": TRASHED}, {}),
    "binned_restricted": ({**RESTRICTED, "deleted_at": TRASHED}, {}),
    "binned_read": ({**RESTRICTED, "deleted_at": TRASHED}, {0: Role.READER}),
    "binned_edit": ({**RESTRICTED, "deleted_at": TRASHED}, {1: Role.EDITOR}),
}
"""The columns of a document of each kind, and the grants on it. The numbers are those of users with low roles."""

DOCUMENTS = [f"doc_{number}" for number in range(len(KINDS))]
"""The documents of both workspaces. One id is that of another kind of document in each."""

CANARY = re.compile(r"~(\w+):(\w+)~")


def canary(workspace_id: str, subject: str) -> str:
    """Return a text for the readers of a document or section, or with `user`, for the whole workspace."""
    return f"~{workspace_id}:{subject}~"


def role_of(workspace_id: str, number: int) -> Role:
    """Return the role of a user, who has another one in each workspace."""
    return ROLES[(number + 5 * WORKSPACES.index(workspace_id)) % len(ROLES)]


@dataclass
class Home:
    """One workspace: its rights, which grow as documents are made, and what is known of its chats."""

    rights: Rights
    kinds: Mapping[str, str]
    """The document of each kind."""
    made: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The documents that the load creates, or tries to."""
    opened: set[str] = field(default_factory=set)
    """The sections that have a chat for sure."""
    opening: set[str] = field(default_factory=set)
    """The sections that can have one."""

    @property
    def chats(self) -> Sequence[str]:
        """The sections with a chat that the world began with; its id is that of the section with another prefix."""
        return [each for each in self.rights.sections if not each.endswith(("_a", "_b"))]

    def may_be_told(self, principal: Principal, found: tuple[str, str], *, trash: bool) -> bool:
        """Return whether a principal may be told a text, in an answer that lists the trash or in any other."""
        workspace_id, subject = found
        if workspace_id != principal.workspace_id:
            return False
        if subject == "user":
            return True
        if trash:
            return subject in self.trashed(principal)
        if subject.startswith("doc_"):
            documents = {**self.rights.documents, **self.made}
            rights = Rights(workspace_id, documents, self.rights.sections, self.rights.grants)
            # What others of the workspace never made was made by somebody who was taken for one of them.
            return subject in documents and rights.sees_document(principal, subject)
        return self.rights.sees_section(principal, subject)

    def trashed(self, principal: Principal) -> Sequence[str]:
        """Return what a principal sees in the trash."""
        rights = self.rights
        return [
            *(
                each
                for each, values in rights.documents.items()
                if values.get("deleted_at") and (rights.on_document(principal, each) or 0) >= Role.EDITOR
            ),
            *(
                each
                for each, values in rights.sections.items()
                if values.get("deleted_at") and (rights.on_section(principal, each) or 0) >= Role.EDITOR
            ),
        ]


def homes() -> Mapping[str, Home]:
    """Describe both workspaces."""
    return {workspace_id: _home(workspace_id, 3 * number) for number, workspace_id in enumerate(WORKSPACES)}


def _home(workspace_id: str, shift: int) -> Home:
    kinds = {kind: DOCUMENTS[(number + shift) % len(DOCUMENTS)] for number, kind in enumerate(KINDS)}
    low = [f"u{n}" for n in range(len(ROLES)) if role_of(workspace_id, n) <= Role.COMMENTER]
    documents: dict[str, Mapping[str, Any]] = {}
    grants: dict[tuple[str, str], Role] = {}
    sections: dict[str, Mapping[str, Any]] = {}
    for kind, (values, granted) in KINDS.items():
        document = kinds[kind]
        creator = low[values["created_by"]] if "created_by" in values else "somebody"
        documents[document] = {**values, "created_by": creator}
        grants |= {(document, low[number]): role for number, role in granted.items()}
        for name in ("talk", "a", "b"):
            sections[f"sec_{document[4:]}_{name}"] = {"documents": [document]}
    hidden = kinds["restricted"]
    sections |= {
        "sec_shared": {"documents": [hidden, kinds["read"]]},
        "sec_published": {"documents": [hidden, kinds["open"]]},
        "sec_never_placed": {"documents": []},
        "sec_removed": {"documents": [], "removed_from": hidden},
        "sec_binned": {"documents": [kinds["open"]], "deleted_at": TRASHED},
        "sec_binned_too": {"documents": [hidden], "deleted_at": TRASHED},
    }
    home = Home(Rights(workspace_id, documents, sections, grants), kinds)
    home.opened |= set(home.chats)
    home.opening |= set(home.chats)
    return home


async def make(database: Database, world: Mapping[str, Home]) -> None:
    """Store both workspaces."""
    async with database.begin() as session:
        for workspace_id, home in world.items():
            await session.merge(Workspace(workspace_id=workspace_id, name=canary(workspace_id, "user")))
            await session.flush()
            rows = list(_rows(workspace_id, home))
            for kind in (Document, Grant, Section, Placement, ChatSession, Message):
                session.add_all(row for row in rows if isinstance(row, kind))
                await session.flush()


def _rows(workspace_id: str, home: Home) -> Iterator[Base]:
    here = {"workspace_id": workspace_id}
    for document, values in home.rights.documents.items():
        text = canary(workspace_id, document)
        yield Document(**here, **values, id=document, title=f"A title {text}", description=f"More {text}")
    for (document, user), role in home.rights.grants.items():
        yield Grant(**here, document_id=document, user_id=user, role=role, granted_by="somebody")
    numbers: Counter[str] = Counter()
    for section, given in home.rights.sections.items():
        text, values = canary(workspace_id, section), dict(given)
        standing = values.pop("documents")
        values["chat_session_id"] = section.replace("sec_", "chat_") if section in home.chats else None
        yield Section(**here, **values, id=section, title=f"A {text}", content=f"B {text}", created_by="somebody")
        for document in standing:
            yield Placement(**here, document_id=document, section_id=section, position=f"a{numbers[document]}")
            numbers[document] += 1
    for section in home.chats:
        standing, chat = home.rights.sections[section]["documents"], section.replace("sec_", "chat_")
        through = standing[0] if standing else home.kinds["restricted"]
        yield ChatSession(**here, id=chat, section_id=section, document_id=through, created_by="somebody", last_seq=2)
        for seq in (1, 2):
            text = f"Message {canary(workspace_id, section)}"
            message = {"id": f"{section.replace('sec_', 'msg_')}_{seq}", "role": "USER", "author": "u0"}
            yield Message(**here, **message, chat_id=chat, seq=seq, content=text)
