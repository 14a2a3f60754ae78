"""Nodes: lookup of objects by id."""

from collections.abc import Sequence

from resolvers.arguments import NodeId, NodeIds
from resolvers.context import Info, Parents
from services import nodes as by_id
from services.nodes import Node
from services.outcomes import VersionConflict


async def node(info: Info, id: NodeId) -> Node | None:
    return await by_id.node(info.context.store, id)


async def nodes(info: Info, ids: NodeIds) -> list[Node | Exception | None]:
    return await by_id.nodes(info.context.store, ids)


async def of_conflicts(info: Info, conflicts: Parents[VersionConflict]) -> Sequence[Node | Exception | None]:
    return await by_id.nodes(info.context.store, [conflict.subject_id for conflict in conflicts])
