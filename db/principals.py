"""Principals: who is asking, in which workspace, and with what rights."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from db.models import Document, DocumentAccess, UserKind


class Role(IntEnum):
    """The rights of a principal in its workspace or on a document. Each includes the rights of those before it.

    The numbers are stored.
    """

    READER = 1
    COMMENTER = 2
    EDITOR = 3
    OWNER = 4


@dataclass(frozen=True)
class Principal:
    """A user, acting in a workspace with a role, or with roles on some of its documents only."""

    user_id: str
    workspace_id: str
    role: Role | None
    """The role in the workspace; None: rights on `documents` only."""
    kind: UserKind = UserKind.PERSON
    documents: Mapping[str, Role] | None = None
    """The roles on documents, by document id, of a principal that may use no others. None: any document."""
    key_id: str | None = None
    """The API key with which a backend acts for this user. The audit names it; it gives no rights of its own."""

    def role_on(self, document: Document, granted: int | None) -> Role | None:
        """Return the role on a document of the workspace, given the role of a grant. None: it may not be seen.

        `db.reading.visibility` has the same rules as conditions of statements.
        """
        if self.documents is not None:
            return self.documents.get(document.id)
        if self.role is Role.OWNER:
            return Role.OWNER
        without = self.role
        if document.access == DocumentAccess.RESTRICTED:
            without = Role.EDITOR if document.created_by == self.user_id else None
        return max((role for role in (without, None if granted is None else Role(granted)) if role), default=None)
