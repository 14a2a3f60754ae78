"""Nodes: anything that has an id, found by it; the prefix of the id says where to look."""

import asyncio
from collections.abc import Sequence

from db import ids
from db.models import ChatSession, Document, Message, Section
from db.store import Store
from services import inputs
from services.outcomes import BadArgument

Node = Document | Section | ChatSession | Message


async def node(store: Store, id: str) -> Node | None:
    """Return what an id names, if the principal may see it."""
    match id.split("_", 1)[0] + "_":
        case ids.DOCUMENT:
            return await store.load.documents.load(id)
        case ids.SECTION:
            return await store.load.sections.load(id)
        case ids.CHAT:
            return await store.load.chats.load(id)
        case ids.MESSAGE:
            return await store.load.messages.load(id)
    return None


async def nodes(store: Store, node_ids: Sequence[str]) -> list[Node | None]:
    """Return what each id names, in order. Raises `BadArgument` for too many of them."""
    if len(node_ids) > inputs.NODES:
        raise BadArgument(f"ids has more than {inputs.NODES} entries")
    return await asyncio.gather(*(node(store, id) for id in node_ids))
