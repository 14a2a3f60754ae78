"""Grants: the roles of users on single documents, and who may use a document without one."""

from collections.abc import Sequence
from dataclasses import dataclass

from db import grants, ids
from db.audit import AuditAction
from db.locks import lock_document_for_share, lock_for_update
from db.models import Document, DocumentAccess, Grant
from db.principals import Role
from db.reading.loader import Loaded
from db.reading.paging import Connection, Edge, Page
from db.store import Store, Transaction
from services import audit, sharing, validation
from services.commands import command
from services.outcomes import DocumentNotFound, Forbidden, InvalidInput, TemporarilyUnavailable, Violation


@dataclass(frozen=True)
class GrantRoleSuccess:
    """The grant, made or changed by this call or earlier."""

    grant: Grant


@dataclass(frozen=True)
class RevokeRoleSuccess:
    """The document and the user, who has no grant on it."""

    document_id: str
    user_id: str

    @property
    def grant_id(self) -> str:
        """The id that a grant of the user on the document has."""
        return ids.of_grant(self.document_id, self.user_id)


@dataclass(frozen=True)
class SetDocumentAccessSuccess:
    """The document, which has this access."""

    document: Document


GrantRoleResult = GrantRoleSuccess | DocumentNotFound | InvalidInput | Forbidden | TemporarilyUnavailable
RevokeRoleResult = RevokeRoleSuccess | DocumentNotFound | InvalidInput | Forbidden | TemporarilyUnavailable
SetDocumentAccessResult = SetDocumentAccessSuccess | DocumentNotFound | Forbidden | TemporarilyUnavailable


@command
async def grant_role(store: Store, document_id: str, user: str, role: Role) -> GrantRoleResult:
    """Grant a user a role on a document, in place of the role of an earlier grant.

    `user` is the id of a user, who need not be known yet. A grant that has the role stays as it is.
    """
    if refused := await sharing.refusal(store, document_id, AuditAction.GRANT_ROLE):
        return refused
    user_id = user.removeprefix(ids.USER)
    if invalid := validation.invalid(validation.user_id(user_id), _role(role)):
        return invalid

    async def give(transaction: Transaction) -> GrantRoleSuccess | DocumentNotFound:
        if not await lock_document_for_share(transaction, document_id):
            return DocumentNotFound(document_id)
        given = await _give(transaction, store, document_id, user_id, role)
        return GrantRoleSuccess(given or await grants.grant(transaction, document_id, user_id))

    return await store.transact(give)


@command
async def revoke_role(store: Store, document_id: str, user: str) -> RevokeRoleResult:
    """Revoke the grant of a user on a document, if there is one."""
    if refused := await sharing.refusal(store, document_id, AuditAction.REVOKE_ROLE):
        return refused
    user_id = user.removeprefix(ids.USER)
    if invalid := validation.invalid(validation.user_id(user_id)):
        return invalid

    async def revoke(transaction: Transaction) -> RevokeRoleSuccess | DocumentNotFound:
        if not await lock_document_for_share(transaction, document_id):
            return DocumentNotFound(document_id)
        if await grants.revoke(transaction, document_id, user_id):
            await audit.record(transaction, store, AuditAction.REVOKE_ROLE, document_id, userId=ids.USER + user_id)
        return RevokeRoleSuccess(document_id, user_id)

    return await store.transact(revoke)


@command
async def set_document_access(store: Store, document_id: str, access: DocumentAccess) -> SetDocumentAccessResult:
    """Set who may use a document.

    A principal who restricts a document and would then have no role on it gets a grant as EDITOR. The version of the
    document stays: a change of its access conflicts with no change of its text or order.
    """
    if refused := await sharing.refusal(store, document_id, AuditAction.SET_DOCUMENT_ACCESS):
        return refused
    principal = store.principal

    async def change(transaction: Transaction) -> SetDocumentAccessSuccess | DocumentNotFound:
        document = await lock_for_update(transaction, Document, document_id)
        if document is None or document.deleted_at is not None:
            return DocumentNotFound(document_id)
        if document.access == access:
            return SetDocumentAccessSuccess(document)
        changed = await grants.set_access(transaction, document, access)
        await audit.record(transaction, store, AuditAction.SET_DOCUMENT_ACCESS, document_id, access=access.value)
        keeps_role = principal.role is Role.OWNER or principal.user_id == document.created_by
        # Rights from `documents` do not depend on the access, and such a principal has no grants.
        if access is DocumentAccess.RESTRICTED and not keeps_role and principal.documents is None:
            await _give(transaction, store, document_id, principal.user_id, Role.EDITOR)
        return SetDocumentAccessSuccess(changed)

    return await store.transact(change)


async def of_documents(store: Store, documents: Sequence[Document], page: Page) -> Sequence[Loaded[Connection[Grant]]]:
    """Return, for each document, a page of its grants by user id; empty where the principal may not share."""
    load = store.load
    return await sharing.pages(store, documents, page, load.pages_of_grants, load.counts_of_grants)


async def grant(store: Store, grant_id: str) -> Grant | None:
    """Return the grant with this id, if the principal may share its document."""
    parts = ids.parts_of_pair(ids.GRANT, grant_id)
    if parts is None:
        return None
    document = await store.load.documents.load(parts[0])
    if document is None or not all(await sharing.shareable(store, [document])):
        return None
    return await store.load.grants.load(parts)


def edge(grant: Grant) -> Edge[Grant]:
    """Return the edge of a grant in the connection of its document."""
    return Edge(grant, grants.BY_USER, (grant.user_id,))


async def _give(transaction: Transaction, store: Store, document_id: str, user_id: str, role: Role) -> Grant | None:
    """Store a grant and record it. None: the user has this role."""
    grant = Grant(
        workspace_id=store.workspace_id,
        document_id=document_id,
        user_id=user_id,
        role=role,
        granted_by=store.principal.user_id,
    )
    given = await grants.give(transaction, grant)
    if given is not None:
        await audit.record(
            transaction, store, AuditAction.GRANT_ROLE, document_id, userId=ids.USER + user_id, role=role.name
        )
    return given


def _role(role: Role) -> Violation | None:
    return Violation(("role",), "is OWNER, which is a role in the workspace") if role is Role.OWNER else None
