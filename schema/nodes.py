"""Nodes and connections: what everything with an id, and every list, has in common."""

from typing import Generic, TypeVar

import strawberry

from db.reading import paging
from resolvers import nodes, pages
from schema.view import View, field, resolved_by

T = TypeVar("T")


@strawberry.interface(description="Anything that has an id. The fields node and nodes of Query find it again.")
class Node:
    """The interface of Relay's object identification."""

    id: strawberry.ID = field("The id: a prefix that names the kind, and a part that identifies the object.")


@strawberry.type(description="Where a page stands in the whole list.")
class PageInfo(View):
    """The page information of Relay's cursor connections."""

    represents = paging.PageInfo

    has_next_page: bool = field("Whether the list goes on after this page.")
    has_previous_page: bool = field("Whether the list has items before this page.")
    start_cursor: str | None = field("The cursor of the first item; null on an empty page.")
    end_cursor: str | None = field("The cursor of the last item; null on an empty page.")


@strawberry.type(description="An item of a list, and its cursor.")
class Edge(View, Generic[T]):
    """An edge of Relay's cursor connections."""

    represents = paging.Edge

    cursor: str = field("A cursor for use in pagination.")
    node: T | None = field("The item; null if it cannot be shown, for which there is an error.")


@strawberry.type(description="A page of a list.")
class Connection(View, Generic[T]):
    """A connection of Relay's cursor connections."""

    represents = paging.Connection

    edges: list[Edge[T] | None] = field(
        "The items of this page, with their cursors; null for one that has no place in the order."
    )
    page_info: PageInfo = field("Where this page stands in the whole list.")
    total_count: int = resolved_by(pages.total_count, "How many items the whole list has, whatever the page.")


@strawberry.type
class Queries:
    """What can be read of everything with an id."""

    node: Node | None = resolved_by(
        nodes.node, "The object with an id; null if it does not exist or you may not see it."
    )
    nodes: list[Node | None] | None = resolved_by(
        nodes.nodes,
        "The objects with ids, in the order of the ids; null for each that does not exist or that you may not see.",
    )
