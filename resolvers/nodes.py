"""Nodes: lookup of objects by id."""

from resolvers.arguments import NodeId, NodeIds
from resolvers.context import Info
from services import nodes as by_id
from services.nodes import Node


async def node(info: Info, id: NodeId) -> Node | None:
    return await by_id.node(info.context.store, id)


async def nodes(info: Info, ids: NodeIds) -> list[Node | Exception | None]:
    return await by_id.nodes(info.context.store, ids)
