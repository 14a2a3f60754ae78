"""Pages: the total count of a connection."""

from asyncio import gather
from collections.abc import Sequence
from typing import Any

from db.reading.paging import Connection
from resolvers.context import Info, Parents


async def total_counts(info: Info, connections: Parents[Connection[Any]]) -> Sequence[int | BaseException]:
    counts = [connection.count() for connection in connections]
    waiting = iter(await gather(*(count for count in counts if not isinstance(count, int)), return_exceptions=True))
    return [count if isinstance(count, int) else next(waiting) for count in counts]
