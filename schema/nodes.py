"""Nodes and pages: what everything with an id, and every connection, has in common."""

import strawberry

from db.reading import paging
from schema.view import View, field


@strawberry.interface(description="Anything that has an id; `node` and `nodes` find it again.")
class Node:
    """The interface of Relay's object identification."""

    id: strawberry.ID = field("The id: a prefix that tells the kind, and a part that tells which.")


@strawberry.type(description="Where a page stands in the whole.")
class PageInfo(View):
    """The page information of Relay's cursor connections."""

    represents = paging.PageInfo

    has_next_page: bool = field("Whether there is more behind this page.")
    has_previous_page: bool = field("Whether there is more before this page.")
    start_cursor: str | None = field("The cursor of the first row; null on an empty page.")
    end_cursor: str | None = field("The cursor of the last row; null on an empty page.")
