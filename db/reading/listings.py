"""Listings: the connections that are read, one page of one list, or of many parents in one statement."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar, cast

from sqlalchemy import BindParameter, ColumnElement, FromClause, Integer, Select, select, true, tuple_

from db.connection.database import Database
from db.models import Base
from db.reading import visibility
from db.reading.paging import Column, Connection, Edge, Order, Page, connection
from db.reading.rows import Part, Selection, part, selected_of
from db.reading.sql_arrays import rowid, unindexed, unnested
from db.reading.statements import ROWS_AT_ONCE, statement
from db.reading.visibility import Viewer

T = TypeVar("T", covariant=True)
Query = Select[*tuple[Any, ...]]


class Shape(NamedTuple):
    """What the statement of a page depends on, besides its arguments."""

    selected: Selection | None
    of_viewer: visibility.Shape
    from_end: bool
    after: bool
    before: bool


class Origin(NamedTuple):
    """The rows that a connection lists: a query from their tables, and the table or alias of each model in it."""

    query: Query
    tables: Mapping[type[Base], Any]


@dataclass(frozen=True, eq=False)
class Listing(Generic[T]):
    """A connection: its order, the models of a row, and the edge that is made of them and of the row's key."""

    order: Order
    kinds: Sequence[type[Base]]
    origin: Callable[[str, Selection | None, Viewer], Origin]
    """Returns the rows for a dialect that a viewer may see."""
    edge: Callable[..., Edge[T]]
    parent: Column | None = None
    """The column with the parents, if many lists are read in one statement."""
    has_key: bool = True
    """Whether the edge takes the row's key; otherwise it finds it in the rows."""

    async def page(
        self,
        database: Database,
        viewer: Viewer,
        page: Page,
        selected: Selection | None = None,
        parameters: Mapping[str, Any] = MappingProxyType({}),
    ) -> Connection[T]:
        """Read one page of the only list, whose query may have further parameters."""
        rows = await self._rows(database, viewer, page, selected, **parameters)
        kinds = len(self.kinds)
        return connection([self.edge(*row[:kinds], row[kinds:]) for row in rows], page)

    async def pages(
        self,
        database: Database,
        viewer: Viewer,
        parents: Sequence[str],
        page: Page,
        selected: Selection | None = None,
    ) -> Mapping[str, Connection[T]]:
        """Read the same page of every parent in one statement. The result has an entry for every parent.

        If an index has the rows in this order, no more rows are visited per parent than its page has.
        """
        rows = await self._rows(database, viewer, page, selected, keys=parents)
        kinds, edges = len(self.kinds), defaultdict(list)
        for number, row in enumerate(rows, 1):
            edges[row[kinds]].append(self.edge(*row[:kinds], row[kinds + 1 :]))
            if number % ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return {key: connection(edges[key], page) for key in parents}

    async def _rows(
        self, database: Database, viewer: Viewer, page: Page, selected: Selection | None, **given: Any
    ) -> Sequence[tuple[Any, ...]]:
        given |= {**viewer.given, "size": page.size + 1}
        for name, key in (("after", page.after), ("before", page.before)):
            given |= {f"{name}_{number}": value for number, value in enumerate(key or ())}
        chosen = selected_of(self.kinds, selected)
        shape = Shape(chosen, viewer.shape, page.from_end, page.after is not None, page.before is not None)
        return await statement(self, shape, database.dialect_of_reads).rows(database, given)

    def build(self, dialect: str, shape: Shape) -> tuple[Query, Sequence[Part]]:
        """Build the statement of pages of a shape."""
        origin = self.origin(dialect, shape.selected, visibility.parameters(shape.of_viewer))
        parts = [part(kind, shape.selected) for kind in self.kinds]
        building = _Building(self, origin, parts, shape)
        if self.parent is None:
            return building.page_query().limit(_SIZE), parts
        return (building.lateral() if dialect == "postgresql" else building.correlated()), parts


_SIZE: BindParameter[int] = BindParameter("size", type_=Integer())


@dataclass(frozen=True)
class _Building:
    """A statement in the making."""

    listing: Listing[Any]
    origin: Origin
    parts: Sequence[Part]
    shape: Shape

    def columns(self) -> list[ColumnElement[Any]]:
        """Return the columns of the rows."""
        return [column for part in self.parts for column in part.of(self.origin.tables[part.kind])]

    def order_columns(self) -> list[Any]:
        """Return the columns of the order."""
        return [
            _column(self.origin.tables[cast(type[Base], each.class_)], each.key) for each in self.listing.order.columns
        ]

    def keys(self) -> list[ColumnElement[Any]]:
        """Return the columns of the order, with the labels that they have in a result."""
        return [column.label(f"page_key_{number}") for number, column in enumerate(self.order_columns())]

    def page_query(self) -> Query:
        """Return the query of one list, in its order."""
        columns = [*self.columns(), *self.keys()]
        chosen = self.stretch().with_only_columns(*columns, maintain_column_froms=True)
        return chosen.order_by(*self.directed(self.order_columns()))

    def lateral(self) -> Query:
        """Return the pages of all parents for PostgreSQL."""
        asked, parent = unnested("postgresql"), self.listing.parent
        found = self.page_query().where(cast(Column, parent) == asked.c.value).limit(_SIZE).lateral("page")
        keys = [found.c[key.name] for key in self.keys()]
        return (
            select(
                *(found.c[column.name] for column in self.columns()),
                asked.c.value.label("page_parent"),
                *(keys if self.listing.has_key else ()),
            )
            .select_from(asked)
            .join(found, true())
            .order_by(*self.directed(keys))
        )

    def correlated(self) -> Query:
        """Return the pages of all parents for SQLite, which has no LATERAL.

        A subquery finds the rowids of each parent's page, and the rows are read by rowid.
        """
        parent: Any = self.listing.parent
        asked, row_id, query = unnested("sqlite"), rowid(parent), self.origin.query
        found = (
            self.stretch()
            .where(parent == asked.c.value)
            .with_only_columns(row_id, maintain_column_froms=True)
            # Otherwise SQLite would walk an index of the other table, and scan the whole workspace.
            .order_by(*self.directed([_of_parent(column, parent) for column in self.order_columns()]))
            .limit(_SIZE)
            .correlate(asked)
        )
        # No workspace condition here: SQLite underestimates the workspace and would scan all of it.
        return (
            select(
                *self.columns(),
                asked.c.value.label("page_parent"),
                *(self.keys() if self.listing.has_key else ()),
            )
            .select_from(asked, *query.get_final_froms())
            .where(unindexed(parent) == asked.c.value, row_id.in_(found.scalar_subquery()))
            .order_by(*self.directed([unindexed(column) for column in self.order_columns()]))
        )

    def stretch(self) -> Query:
        """Return the rows behind the cursor `after`, and those before the cursor `before`."""
        query, newest_first = self.origin.query, self.listing.order.newest_first
        columns = tuple_(*self.order_columns())
        if self.shape.after:
            query = query.where(columns < self.key("after") if newest_first else columns > self.key("after"))
        if self.shape.before:
            query = query.where(columns > self.key("before") if newest_first else columns < self.key("before"))
        return query

    def key(self, name: str) -> ColumnElement[Any]:
        """Return the key of a cursor, from the parameters with its name."""
        columns = self.listing.order.columns
        return tuple_(*(BindParameter(f"{name}_{n}", type_=column.type) for n, column in enumerate(columns)))

    def directed(self, columns: Sequence[Any]) -> list[ColumnElement[Any]]:
        """Return columns to order by, in the direction of the page."""
        descending = self.listing.order.newest_first != self.shape.from_end
        return [column.desc() if descending else column.asc() for column in columns]


def _column(table: Any, name: str) -> Any:
    return getattr(table.c if isinstance(table, FromClause) else table, name)


def _of_parent(column: Column, parent: Column) -> ColumnElement[Any]:
    return column.expression if column.class_ is parent.class_ else unindexed(column)
