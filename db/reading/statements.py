"""Statements: SELECTs that are compiled once and read light rows."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import Dialect, Select

from db.connection.database import Database
from db.reading.rows import Part, reader

KEPT_STATEMENTS = 500
"""How many compiled statements a process keeps: operations that select other columns have statements of their own."""


ROWS_AT_ONCE = 1_000
"""How many rows are read before the event loop runs other tasks."""


class Statement:
    """A compiled SELECT of the columns of its parts, and of others behind them."""

    def __init__(self, query: Select[Any], parts: Sequence[Part], dialect: Dialect) -> None:
        compiled: Any = query.compile(dialect=dialect)
        self._text = str(compiled)
        self._parameters = []
        for name in compiled.positiontup:
            bound = compiled.binds[name]
            self._parameters.append((name, bound.value, bound.type.dialect_impl(dialect).bind_processor(dialect)))
        self._read = reader(
            parts,
            [
                column.type.dialect_impl(dialect).result_processor(dialect, None)
                for column in query.selected_columns.values()
            ],
        )

    async def rows(self, database: Database, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run the statement with parameters by name. Raises `DatabaseUnavailable`."""
        arguments = tuple(
            process(given.get(name, value)) if process else given.get(name, value)
            for name, value, process in self._parameters
        )
        fetched = await database.fetch(self._text, arguments)
        if len(fetched) <= ROWS_AT_ONCE:
            return self._read(fetched)
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(fetched), ROWS_AT_ONCE):
            rows += self._read(fetched[start : start + ROWS_AT_ONCE])
            await asyncio.sleep(0)
        return rows


class Source(Hashable, Protocol):
    """Describes a read of light rows."""

    def build(self, dialect: str, shape: Any) -> tuple[Select[Any], Sequence[Part]]:
        """Build the SELECT of a shape, and tell the parts that begin its columns."""


def statement(source: Source, shape: Hashable, dialect: Dialect) -> Statement:
    """Return the statement of a source in a shape, compiled at its first use."""
    return _compiled(source, shape, _Named(dialect))


class _Named:
    """A dialect that equals all others of its name: databases of one kind share their statements."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Named) and other.dialect.name == self.dialect.name

    def __hash__(self) -> int:
        return hash(self.dialect.name)


@lru_cache(maxsize=KEPT_STATEMENTS)
def _compiled(source: Source, shape: Hashable, named: _Named) -> Statement:
    query, parts = source.build(named.dialect.name, shape)
    return Statement(query, parts, named.dialect)
