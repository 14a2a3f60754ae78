"""Lookups: rows by the keys of one of their columns, many in one statement."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Select, select, true
from sqlalchemy.orm import InstrumentedAttribute

from db.connection.database import Database
from db.ids import is_findable
from db.models import Base
from db.reading import visibility
from db.reading.rows import Part, Selection, part, selected_of
from db.reading.sql_arrays import is_key, planned_apart, unnested
from db.reading.statements import statement
from db.reading.visibility import Viewer

B = TypeVar("B", bound=Base)


@dataclass(frozen=True, eq=False)
class Lookup(Generic[B]):
    """Finds the visible rows of a model by a column, each by its index."""

    column: InstrumentedAttribute[str]
    visible: Callable[[Viewer], Select[B]]
    """Selects the rows that a viewer may see."""

    @property
    def _kind(self) -> type[Base]:
        return cast(type[Base], self.column.class_)

    async def find(
        self, database: Database, viewer: Viewer, keys: Iterable[str], selected: Selection | None = None
    ) -> Mapping[str, B]:
        """Read the rows of keys in one statement. Raises `DatabaseUnavailable`."""
        shape = (selected_of([self._kind], selected), viewer.shape)
        given = {**viewer.given, "keys": [key for key in keys if is_findable(key)]}
        rows = await statement(self, shape, database.dialect_of_reads).rows(database, given)
        name = self.column.key
        return {getattr(row, name): row for (row,) in rows}

    def build(
        self, dialect: str, shape: tuple[Selection | None, visibility.Shape]
    ) -> tuple[Select[Any], Sequence[Part]]:
        """Build the statement that reads what is selected."""
        kind, (selected, of_viewer) = self._kind, shape
        read = part(kind, selected)
        visible = self.visible(visibility.parameters(of_viewer))
        rows = visible.with_only_columns(*read.of(kind), maintain_column_froms=True)
        if dialect != "postgresql":
            return rows.where(is_key(self.column)), [read]
        asked = unnested(dialect)
        found = planned_apart(rows.where(self.column == asked.c.value)).lateral("found")
        return select(*found.c).select_from(asked).join(found, true()), [read]
