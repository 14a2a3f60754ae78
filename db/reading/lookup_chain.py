"""Lookup chains: for each key asked, rows that are found one after another, each by the index of its table."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, inspect, select, true

from db.reading.rows import Part
from db.reading.sql_arrays import planned_apart


class LookupChain:
    """The FROM clause of a statement that looks up a row of each part for each key; a row that is missing is null."""

    def __init__(self, dialect: str, asked: FromClause) -> None:
        self._dialect = dialect
        self.joined = asked
        self.columns: list[ColumnElement[Any]] = []

    def add(self, read: Part, entity: Any, *on: ColumnElement[bool]) -> Callable[[str], Any]:
        """Look up the row of a model or an alias, and read its part. Return its columns by name, for conditions."""
        if self._dialect != "postgresql":
            self.joined = self.joined.outerjoin(entity, and_(*on))
            self.columns.extend(read.of(entity))
            return lambda name: getattr(entity, name)
        # Looked up key by key: other plans win only with more keys than one call ever sends.
        looked_up = select(*read.of(entity)).where(*on).correlate_except(entity)
        found = planned_apart(looked_up).lateral(read.label or inspect(entity).local_table.name)
        self.joined = self.joined.outerjoin(found, true())
        self.columns.extend(found.c)
        return lambda name: found.c[f"{read.label or read.kind.__name__}_{name}"]
