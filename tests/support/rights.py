"""Rights: who has which role on what, by the text of the design, without a line of the product's own rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.principals import Principal, Role


@dataclass(frozen=True)
class Rights:
    """The objects of a workspace by id, as far as they decide who may do what there."""

    workspace_id: str
    documents: Mapping[str, Mapping[str, Any]]
    """The values of their columns; what is not named has its default."""
    sections: Mapping[str, Mapping[str, Any]]
    """Likewise, with the ids of the documents that hold one under `documents`."""
    grants: Mapping[tuple[str, str], Role]
    """By document and user."""

    def on_document(self, principal: Principal, document_id: str) -> Role | None:
        """Return the role on a document, in the trash or not."""
        if principal.workspace_id != self.workspace_id:
            return None
        if principal.documents is not None:
            return principal.documents.get(document_id)
        if principal.role is Role.OWNER:
            return Role.OWNER
        document = self.documents[document_id]
        roles = [self.grants.get((document_id, principal.user_id))]
        if document.get("access") != "RESTRICTED":
            roles.append(principal.role)
        elif document.get("created_by") == principal.user_id:
            roles.append(Role.EDITOR)
        return max((role for role in roles if role), default=None)

    def on_section(self, principal: Principal, section_id: str) -> Role | None:
        """Return the role on a section, in the trash or not: the highest on any document that holds it."""
        if principal.workspace_id != self.workspace_id:
            return None
        if principal.role is Role.OWNER:
            return Role.OWNER
        section = self.sections[section_id]
        deciding = section["documents"] or [section.get("removed_from")]
        if deciding == [None]:
            return principal.role
        there = [each for each in deciding if each in self.documents]
        return max((role for each in there if (role := self.on_document(principal, each))), default=None)

    def sees_document(self, principal: Principal, document_id: str) -> bool:
        """Return whether a document can be read."""
        document = self.documents[document_id]
        return not document.get("deleted_at") and self.on_document(principal, document_id) is not None

    def sees_section(self, principal: Principal, section_id: str) -> bool:
        """Return whether a section can be read."""
        return not self.sections[section_id].get("deleted_at") and self.on_section(principal, section_id) is not None

    def outcome_of_ensure(self, principal: Principal, document_id: str, section_id: str, *, has_chat: bool) -> str:
        """Return the code that an ensure answers, or "a chat"."""
        if not self.sees_document(principal, document_id):
            return "DOCUMENT_NOT_FOUND"
        if not self.sees_section(principal, section_id):
            return "SECTION_NOT_FOUND"
        if document_id not in self.sections[section_id]["documents"]:
            return "SECTION_NOT_IN_DOCUMENT"
        role = self.on_document(principal, document_id)
        return "a chat" if has_chat or (role or 0) >= Role.COMMENTER else "FORBIDDEN"
