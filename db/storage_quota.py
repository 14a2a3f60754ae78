"""The storage quota: how much text each workspace may hold, by a count that is at most about a minute old."""

import asyncio
import contextvars
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import BigInteger, LargeBinary, Select, Text, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute

from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.models import Document, DocumentRevision, Message, Section, SectionRevision

COUNT_INTERVAL_S = 60.0
"""How old a count may be before the next write in its workspace starts another."""

REST = 20
"""A workspace that takes long to count is counted less often: for so many times as long, no count follows."""

KEPT_COUNTS = 10_000
"""The number of workspaces whose counts are kept."""

TEXTS: tuple[tuple[InstrumentedAttribute[Any], ...], ...] = (
    (Document.title, Document.description),
    (Section.title, Section.content, Section.link_definitions),
    (Message.content,),
    (DocumentRevision.title, DocumentRevision.description),
    (SectionRevision.title, SectionRevision.content, SectionRevision.link_definitions),
)
"""The columns whose bytes are counted, by table: what is in the trash and earlier versions count too."""

_log = structlog.stdlib.get_logger("marginalia.storage")


@dataclass(frozen=True)
class StorageUse:
    """How much text a workspace holds, in bytes of UTF-8, and how much it may."""

    used_bytes: int
    limit_bytes: int


@dataclass
class _Count:
    used_bytes: int | None = None
    next_at: float = 0.0
    counting: asyncio.Task[None] | None = None


class StorageQuota:
    """Tells which workspaces are full. It never makes a write wait: counts run in the background, one per workspace.

    So a workspace can grow past its quota by what is written within about a minute, and in the first moments of a
    process. A count that fails refuses nobody.
    """

    def __init__(self, database: Database, limit_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def exceeded(self, workspace_id: str) -> StorageUse | None:
        """Return the use of a workspace that is full, by the last count. None: it may hold more, as far as is known."""
        count = self._counts.setdefault(workspace_id, _Count())
        self._counts.move_to_end(workspace_id)
        if len(self._counts) > KEPT_COUNTS:
            self._counts.popitem(last=False)
        if count.counting is None and self._clock() >= count.next_at:
            # In a context of its own: its statement is not one of the operation.
            count.counting = asyncio.create_task(self._count(workspace_id, count), context=contextvars.Context())
        if count.used_bytes is None or count.used_bytes < self._limit_bytes:
            return None
        return StorageUse(count.used_bytes, self._limit_bytes)

    async def counted(self) -> None:
        """Wait for the counts that are running."""
        if running := self._running():
            await asyncio.wait(running)

    async def close(self) -> None:
        """Stop counting."""
        for task in self._running():
            task.cancel()
        await self.counted()

    def _running(self) -> list[asyncio.Task[None]]:
        return [count.counting for count in self._counts.values() if count.counting is not None]

    async def _count(self, workspace_id: str, count: _Count) -> None:
        began = self._clock()
        try:
            async with self._database.read() as session:
                count.used_bytes = await session.scalar(_statement(workspace_id, self._database.dialect)) or 0
        except DatabaseUnavailable as error:
            _log.warning("storage not counted", reason=str(error))
        finally:
            now = self._clock()
            count.next_at, count.counting = now + max(COUNT_INTERVAL_S, REST * (now - began)), None


def _statement(workspace_id: str, dialect: str) -> Select[tuple[int]]:
    sums = [
        select(func.coalesce(func.sum(sum(func.coalesce(_bytes(column, dialect), 0) for column in columns)), 0))
        .where(columns[0].class_.workspace_id == workspace_id)
        .scalar_subquery()
        for columns in TEXTS
    ]
    return select(cast(sum(sums), BigInteger))


def _bytes(column: InstrumentedAttribute[Any], dialect: str) -> Any:
    # PostgreSQL knows the length of a large text without reading it.
    return func.length(cast(column, LargeBinary)) if dialect == "sqlite" else func.octet_length(cast(column, Text))
