"""Sharing: who may share a document, for grants, share links and its access."""

from collections.abc import Sequence
from typing import TypeVar

from db.audit import AuditAction
from db.models import Document, ShareLink
from db.reading.loader import Loaded, Loader
from db.reading.loaders import PageKey
from db.reading.paging import Connection, Page
from db.store import Store
from services import access, audit
from services.access import Action
from services.outcomes import DocumentNotFound, Forbidden
from services.paging import pages_where

T = TypeVar("T")


async def refusal(store: Store, document_id: str, act: AuditAction) -> DocumentNotFound | Forbidden | None:
    """Return why the principal may not share a document, or None. A `Forbidden` is recorded."""
    return await audit.recorded(store, act, await access.on_document(store, Action.SHARE, document_id))


async def shareable(store: Store, documents: Sequence[Document]) -> Sequence[bool]:
    """Return, for each document, whether the principal may share it, and so see with whom it is shared."""
    roles = await access.roles_on_documents(store, documents)
    return [not isinstance(role, Exception) and access.may(role, Action.SHARE) for role in roles]


async def pages(
    store: Store,
    documents: Sequence[Document],
    page: Page,
    load: Loader[PageKey, Connection[T]],
    counts: Loader[str, int],
) -> Sequence[Loaded[Connection[T]]]:
    """Return, for each document, a page of what it is shared with; empty where the principal may not share it."""
    return await pages_where(await shareable(store, documents), [each.id for each in documents], page, load, counts)


async def visible_link(store: Store, link_id: str) -> ShareLink | None:
    """Return a share link, if the principal may share its document, which must not be in the trash."""
    link = await store.load.share_links.load(link_id)
    if link is None:
        return None
    refused = await access.on_document(store, Action.SHARE, link.document_id, is_known=True)
    return link if refused is None else None
