"""Nodes: lookup of objects by id; the prefix of the id selects the type."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from db import ids
from db.connection.errors import DatabaseUnavailable
from db.models import (
    ApiKey,
    AuditEntry,
    ChatSession,
    Document,
    DocumentRevision,
    Grant,
    Message,
    Placement,
    Section,
    SectionRevision,
    ShareLink,
)
from db.store import Store
from services import api_keys, audit, grants, limits, placements, revisions, share_links, users
from services.outcomes import BadArgument
from services.users import User, Workspace

Node = (
    Document
    | Section
    | ChatSession
    | Message
    | Grant
    | ShareLink
    | ApiKey
    | AuditEntry
    | Placement
    | SectionRevision
    | DocumentRevision
    | User
    | Workspace
)


async def node(store: Store, node_id: str) -> Node | None:
    """Return the object with this id, if the principal may see it."""
    lookups: dict[str, Callable[[str], Awaitable[Node | None]]] = {
        ids.DOCUMENT: store.load.documents.load,
        ids.SECTION: store.load.sections.load,
        ids.CHAT: store.load.chats.load,
        ids.MESSAGE: store.load.messages.load,
        ids.SHARE_LINK: partial(share_links.share_link, store),
        ids.GRANT: partial(grants.grant, store),
        ids.API_KEY: partial(api_keys.api_key, store),
        ids.AUDIT_ENTRY: partial(audit.entry, store),
        ids.PLACEMENT: partial(placements.placement, store),
        ids.SECTION_REVISION: partial(revisions.section_revision, store),
        ids.DOCUMENT_REVISION: partial(revisions.document_revision, store),
    }
    if node_id == ids.WORKSPACE + store.workspace_id:
        return await users.workspace(store)
    if node_id.startswith(ids.USER):
        return await users.user(store, node_id)
    for prefix, lookup in lookups.items():
        if node_id.startswith(prefix):
            return await lookup(node_id)
    return None


async def nodes(store: Store, node_ids: Sequence[str]) -> list[Node | Exception | None]:
    """Return the object of each id, in order, or the exception that its lookup raised.

    Raises `BadArgument` for too many ids, and `DatabaseUnavailable`, which concerns all ids.
    """
    if len(node_ids) > limits.NODES:
        raise BadArgument(f"ids has more than {limits.NODES} entries")
    found = await asyncio.gather(*(_node_or_fault(store, node_id) for node_id in node_ids))
    for each in found:
        if isinstance(each, DatabaseUnavailable):
            raise each
    return found


async def _node_or_fault(store: Store, node_id: str) -> Node | Exception | None:
    try:
        return await node(store, node_id)
    except Exception as fault:
        return fault
