"""Pages: the total count of a connection."""

from typing import Any

from db.reading.loaders import AwaitableOrValue
from db.reading.paging import Connection
from resolvers.context import Info


def total_count(root: Connection[Any], info: Info) -> AwaitableOrValue[int]:
    return root.count()
