"""The patient: a database as the doctor looks at it, all of it or one workspace, a stretch at a time."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from db import encoding, walks
from db.connection import errors
from db.connection.database import Database
from db.doctor import engine_check, schema_check
from db.doctor.invariants import Invariant, Query
from db.values import BadValue, bad_values
from db.walks import Place

SHORTEST, FIRST, LONGEST = 100, 2_000, 20_000
"""How many rows a stretch has: fewer where it takes long, so that no statement keeps others waiting, more where not."""

_BY_INDEX = text(
    "SELECT "
    + ", ".join(
        f"set_config('enable_{way}', 'off', true)"
        for way in ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin", "material")
    )
)
"""Has PostgreSQL walk along indexes, whatever it believes of tables that were not analysed or have grown since.

Otherwise it may read all of a table for each stretch of it.
"""

BRISK, SLOW = 0.1, 0.4
"""How many seconds a stretch takes when the next one may be longer, and when it has to be shorter."""


@dataclass(frozen=True)
class Violation:
    """A row that breaks an invariant, as the query has found it."""

    invariant: Invariant
    workspace_id: str
    found: RowMapping


class Scanner:
    """What the doctor may do to a database: look for what breaks an invariant, and set it right."""

    def __init__(self, database: Database, workspace_id: str | None = None) -> None:
        """Look at a workspace; None: at everything."""
        self.workspace_id = workspace_id
        self._database = database
        self._has_indexes: bool | None = None

    async def violations(self, invariant: Invariant) -> AsyncGenerator[Violation, None]:
        """Find the rows that break an invariant, in no more memory than a stretch of them takes.

        Each stretch is read in one statement, which sees no half of what others write meanwhile. Raises `Unavailable`,
        or `DatabaseDamaged` where the engine cannot read them.
        """
        workspace_id = self.workspace_id or await self._next_workspace(invariant, "")
        parent, told = invariant.key[1].key, None
        while workspace_id is not None:
            after: Place | None = None
            size = FIRST
            while True:
                began = time.monotonic()
                rows, after = await self._stretch(invariant, workspace_id, after, size)
                size = _next_size(size, time.monotonic() - began)
                for row in rows:
                    if not invariant.once_per_parent or told != (told := (workspace_id, row[parent])):
                        yield Violation(invariant, workspace_id, row)
                if after is None:
                    break
            workspace_id = None if self.workspace_id else await self._next_workspace(invariant, workspace_id)

    async def lacking(self) -> list[str]:
        """Tell which tables, constraints and indexes of ours are not there. Raises `Unavailable` or `DatabaseDamaged`."""
        async with self._reading() as session:
            return await schema_check.missing_objects(session)

    def bad_values(self, table: Table) -> AsyncGenerator[BadValue, None]:
        """Find the values of a table that are none of their columns. Raises `Unavailable` or `DatabaseDamaged`."""
        return bad_values(self._reading, table)

    async def unfit_encoding(self) -> str | None:
        """Tell why the database cannot keep every text; None: it can. Raises `Unavailable`."""
        return await encoding.unfit(self._database)

    async def complaints(self) -> list[str]:
        """Ask the engine for what it finds wrong with its own files; of very much, a part. Raises `Unavailable`."""
        async with self._database.read() as session:
            return await engine_check.engine_errors(session)

    async def repair(self, violation: Violation) -> None:
        """Set right what breaks an invariant, unless somebody did so meanwhile. Raises `Unavailable` or `DatabaseDamaged`."""
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
        # As the rows name them, not as they are listed: a row may name one that is gone.
        named = invariant.key[0]
        async with self._reading() as session:
            return await session.scalar(select(func.min(named)).where(named > last))

    async def _stretch(
        self, invariant: Invariant, workspace_id: str, after: Place | None, size: int
    ) -> tuple[Sequence[RowMapping], Place | None]:
        """Read what breaks an invariant in the next rows of a workspace; also the key to go on after, if there is more.

        Of one workspace, not on into the next: all engines know how to walk along an index between two ids of one.
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
            # Without the indexes it would read all of a table for each row of a stretch.
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
    # In order, so that who asks twice can compare: an engine gives rows as it comes upon them.
    order = (*invariant.key[1:], *invariant.broken.selected_columns)
    return invariant.broken.where(*within).order_by(*order)


def _next_size(size: int, took: float) -> int:
    if took < BRISK:
        return min(size * 2, LONGEST)
    return max(size // 2, SHORTEST) if took > SLOW else size
