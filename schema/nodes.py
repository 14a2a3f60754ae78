"""Nodes and connections: the Relay interfaces of objects with an id and of lists."""

from typing import Generic, TypeVar

import strawberry

from db.reading import paging
from resolvers import nodes, pages
from schema.view import View, batched_by, field, resolved_by

T = TypeVar("T")


@strawberry.interface(description="An object with an id. Query.node and Query.nodes return the object for its id.")
class Node:
    """The interface of Relay's object identification."""

    id: strawberry.ID = field("The id: a prefix that names the type, followed by a part that identifies the object.")


@strawberry.type(description="Information about a page, for pagination.")
class PageInfo(View):
    """The page information, as Relay defines it."""

    represents = paging.PageInfo

    has_next_page: bool = field("Whether the list has items after this page.")
    has_previous_page: bool = field("Whether the list has items before this page.")
    start_cursor: str | None = field("The cursor of the first item; null on an empty page.")
    end_cursor: str | None = field("The cursor of the last item; null on an empty page.")


@strawberry.type(description="An item of a list, with its cursor.")
class Edge(View, Generic[T]):
    """An edge, as Relay defines it."""

    represents = paging.Edge

    cursor: str = field("A cursor for use in pagination.")
    node: T | None = field("The item; null if it cannot be returned, in which case the response has an error.")


@strawberry.type(description="A page of a list.")
class Connection(View, Generic[T]):
    """A connection, as Relay defines it."""

    represents = paging.Connection

    edges: list[Edge[T] | None] = field(
        "The items of this page, with their cursors. An edge is null if its sort key cannot be read."
    )
    page_info: PageInfo = field("Information about this page, for pagination.")
    total_count: int = batched_by(pages.total_counts, "The number of items in the list, across all pages.")


@strawberry.type
class Queries:
    """The query fields for objects of any type, by id."""

    node: Node | None = resolved_by(
        nodes.node, "The object with this id; null if it does not exist or you may not see it."
    )
    nodes: list[Node | None] | None = resolved_by(
        nodes.nodes,
        "The objects with these ids, in the order of the ids. An entry is null if the object does not exist or you may "
        "not see it; the list is null only if an error occurred.",
    )
