"""The scanner: reads a database for the doctor, in whole or one workspace, a stretch at a time."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.connection import encoding, errors
from db.connection.database import Database
from db.doctor import engine_check, schema_check
from db.doctor.invariants import Invariant, Query
from db.doctor.values import BadValue, bad_values
from db.reading import walks
from db.reading.walks import Place

SHORTEST, FIRST, LONGEST = 100, 2_000, 20_000
"""The number of rows in a stretch. It shrinks when a stretch is slow, so that no statement delays others."""

_BY_INDEX = text(
    "SELECT "
    + ", ".join(
        f"set_config('enable_{kind}', 'off', true)"
        for kind in ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin", "material")
    )
)
"""Makes PostgreSQL walk along indexes, whatever its statistics say of tables never analysed or grown since.

Otherwise it may read the whole table for each stretch.
"""

FAST_STRETCH_S, SLOW_STRETCH_S = 0.1, 0.4
"""After a stretch faster than the first, the next is longer; after one slower than the second, it is shorter."""


@dataclass(frozen=True)
class Violation:
    """A row that violates an invariant, as found by the query."""

    invariant: Invariant
    workspace_id: str
    found: RowMapping


class Scanner:
    """The doctor's access to a database: find violations of an invariant, and repair them."""

    def __init__(self, database: Database, workspace_id: str | None = None) -> None:
        """Scan a workspace. None: scan the whole database."""
        self.workspace_id = workspace_id
        self._database = database
        self._has_indexes: bool | None = None

    async def violations(self, invariant: Invariant) -> AsyncGenerator[Violation, None]:
        """Find the rows that violate an invariant, in the memory of one stretch.

        Each stretch is read in one statement, so concurrent transactions appear in full or not at all.

        Raises `DatabaseUnavailable`, or `DatabaseDamaged` if the engine cannot read the rows.
        """
        workspace_id = self.workspace_id or await self._next_workspace(invariant, "")
        parent, reported = invariant.key[1].key, None
        while workspace_id is not None:
            after: Place | None = None
            size = FIRST
            while True:
                began = time.monotonic()
                rows, after = await self._stretch(invariant, workspace_id, after, size)
                size = _next_size(size, time.monotonic() - began)
                for row in rows:
                    if not invariant.once_per_parent or reported != (reported := (workspace_id, row[parent])):
                        yield Violation(invariant, workspace_id, row)
                if after is None:
                    break
            workspace_id = None if self.workspace_id else await self._next_workspace(invariant, workspace_id)

    async def missing_objects(self) -> list[str]:
        """List our tables, constraints and indexes that are missing.

        Raises `DatabaseUnavailable` or `DatabaseDamaged`.
        """
        async with self._reading() as session:
            return await schema_check.missing_objects(session)

    def bad_values(self, table: Table) -> AsyncGenerator[BadValue, None]:
        """Find the values of a table that are invalid for their columns.

        Raises `DatabaseUnavailable` or `DatabaseDamaged`.
        """
        return bad_values(self._reading, table)

    async def unfit_encoding(self) -> str | None:
        """Return why the database cannot store every text. None: it can. Raises `DatabaseUnavailable`."""
        return await encoding.unfit(self._database)

    async def engine_errors(self) -> list[str]:
        """Run the engine's own integrity check. A long list is cut off. Raises `DatabaseUnavailable`."""
        async with self._database.read() as session:
            return await engine_check.engine_errors(session)

    async def repair(self, violation: Violation) -> None:
        """Repair a violation, unless it has been repaired meanwhile.

        Raises `DatabaseUnavailable` or `DatabaseDamaged`.
        """
        repair, found = violation.invariant.repair, violation.found
        if repair is None:
            raise ValueError(f"There is no repair of {violation.invariant.rule}: {violation.invariant.name}")
        work = partial(repair, workspace_id=violation.workspace_id)
        subject: dict[str, Any] = {name: found[name] for name in violation.invariant.subject}
        try:
            with errors.translate_damage():
                while after := await self._database.transact(partial(work, **subject)):
                    subject["after"] = after
        except errors.ConnectionRejected as error:
            raise errors.DatabaseDamaged(str(error)) from error

    async def _next_workspace(self, invariant: Invariant, last: str) -> str | None:
        # From the rows, not from the workspaces table: a row may name a workspace that is gone.
        named = invariant.key[0]
        async with self._reading() as session:
            return await session.scalar(select(func.min(named)).where(named > last))

    async def _stretch(
        self, invariant: Invariant, workspace_id: str, after: Place | None, size: int
    ) -> tuple[Sequence[RowMapping], Place | None]:
        """Read the violations in the next rows of a workspace, and the key after which to continue, if there is more.

        A stretch stays within one workspace: both engines can walk an index between two ids of one workspace.
        """
        async with self._walking() as session:
            stretch = await walks.stretch(session, invariant.key, workspace_id, after, size)
            rows = (await session.execute(_query(invariant, stretch.within))).mappings().all()
        return rows, stretch.end

    @asynccontextmanager
    async def _walking(self) -> AsyncIterator[AsyncSession]:
        if self._has_indexes is None:
            async with self._reading() as session:
                self._has_indexes = self._database.dialect == "sqlite" or await schema_check.has_indexes(session)
        async with self._reading() as session:
            # Without the indexes PostgreSQL would read a whole table for each row of a stretch.
            if self._database.dialect == "postgresql" and self._has_indexes:
                await session.connection(execution_options={"isolation_level": "READ COMMITTED"})
                await session.execute(_BY_INDEX)
            yield session

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncSession]:
        async with self._database.read() as session:
            with errors.translate_damage():
                yield session


def _query(invariant: Invariant, within: Sequence[ColumnElement[bool]]) -> Query:
    if not isinstance(invariant.broken, Select):
        return invariant.broken(within)
    # Ordered, so that two scans can be compared: without ORDER BY an engine returns rows in any order.
    order = (*invariant.key[1:], *invariant.broken.selected_columns)
    return invariant.broken.where(*within).order_by(*order)


def _next_size(size: int, took: float) -> int:
    if took < FAST_STRETCH_S:
        return min(size * 2, LONGEST)
    return max(size // 2, SHORTEST) if took > SLOW_STRETCH_S else size
