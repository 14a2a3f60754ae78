"""Share links: secrets whose holders have a role on one document."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db import credentials, ids, share_links
from db.audit import AuditAction
from db.locks import lock_document_for_share
from db.models import Document, ShareLink
from db.principals import Role
from db.reading.loader import Loaded
from db.reading.paging import Connection, Edge, Page
from db.store import Store, Transaction
from services import audit, sharing, validation
from services.commands import command
from services.outcomes import (
    DocumentNotFound,
    Forbidden,
    InvalidInput,
    ShareLinkNotFound,
    TemporarilyUnavailable,
    Violation,
)
from services.paging import every


@dataclass(frozen=True)
class CreateShareLinkSuccess:
    """The new link, and its secret, which is stored nowhere."""

    secret: str
    share_link: ShareLink


@dataclass(frozen=True)
class RevokeShareLinkSuccess:
    """The link, revoked by this call or earlier."""

    share_link: ShareLink


CreateShareLinkResult = CreateShareLinkSuccess | DocumentNotFound | InvalidInput | Forbidden | TemporarilyUnavailable
RevokeShareLinkResult = RevokeShareLinkSuccess | ShareLinkNotFound | TemporarilyUnavailable


@command
async def create_share_link(
    store: Store, document_id: str, role: Role, expires_at: datetime | None
) -> CreateShareLinkResult:
    """Create a share link of a document, for READER or COMMENTER. `expires_at` None: it never expires.

    A retry creates another link: the secret of the first one is lost, because nobody else has it.
    """
    if refused := await sharing.refusal(store, document_id, AuditAction.CREATE_SHARE_LINK):
        return refused
    if invalid := validation.invalid(_role(role), validation.expiry(expires_at)):
        return invalid
    secret = credentials.new_secret(credentials.SHARE_LINK)
    link = ShareLink(
        workspace_id=store.workspace_id,
        id=ids.new(ids.SHARE_LINK),
        document_id=document_id,
        digest=credentials.digest(secret),
        role=role,
        created_by=store.principal.user_id,
        expires_at=expires_at,
    )

    async def create(transaction: Transaction) -> CreateShareLinkSuccess | DocumentNotFound:
        if not await lock_document_for_share(transaction, document_id):
            return DocumentNotFound(document_id)
        created = await credentials.add(transaction, link)
        await audit.record(
            transaction, store, AuditAction.CREATE_SHARE_LINK, created.id, docId=document_id, role=role.name
        )
        return CreateShareLinkSuccess(secret, created)

    return await store.transact(create)


@command
async def revoke_share_link(store: Store, link_id: str) -> RevokeShareLinkResult:
    """Revoke a share link for good; a revoked link keeps the time of its revocation."""
    # Who may not revoke a link does not see it either, so that there is nothing to refuse.
    if await sharing.visible_link(store, link_id) is None:
        return ShareLinkNotFound(link_id)

    async def revoke(transaction: Transaction) -> RevokeShareLinkSuccess | ShareLinkNotFound:
        link = await credentials.lock(transaction, ShareLink, link_id)
        if link is None:
            return ShareLinkNotFound(link_id)
        if link.revoked_at is None:
            link = await credentials.revoke(transaction, link)
            await audit.record(transaction, store, AuditAction.REVOKE_SHARE_LINK, link_id, docId=link.document_id)
        return RevokeShareLinkSuccess(link)

    return await store.transact(revoke)


async def of_documents(
    store: Store, documents: Sequence[Document], page: Page
) -> Sequence[Loaded[Connection[ShareLink]]]:
    """Return, for each document, a page of its share links, newest first; empty where the principal may not share."""
    load = store.load
    return await sharing.pages(store, documents, page, load.pages_of_share_links, load.counts_of_share_links)


async def all_links(store: Store, document_id: str) -> Sequence[ShareLink] | DocumentNotFound:
    """Return all share links of a document, newest first; none for principals who may not share it."""
    document = await store.load.documents.load(document_id)
    if document is None:
        return DocumentNotFound(document_id)

    async def read(page: Page) -> Connection[ShareLink]:
        (found,) = await of_documents(store, [document], page)
        if isinstance(found, Exception):
            raise found
        return found

    return [link async for link in every(read, lambda link: (link.created_at, link.id))]


async def share_link(store: Store, link_id: str) -> ShareLink | None:
    """Return the share link with this id, if the principal may share its document."""
    return await sharing.visible_link(store, link_id)


def edge(link: ShareLink) -> Edge[ShareLink]:
    """Return the edge of a share link in the connection of its document."""
    return Edge(link, share_links.NEWEST_FIRST, (link.created_at, link.id))


def _role(role: Role) -> Violation | None:
    return None if role <= Role.COMMENTER else Violation(("role",), "is not READER or COMMENTER")
