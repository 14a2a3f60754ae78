"""Keyset pagination: pages of ordered rows, for one list or for many parents in one statement."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, literal, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db.reading.cursors import Key, cursor
from db.reading.sql_arrays import rowid, unindexed, unnested
from db.reading.unreadable import Unreadable

T = TypeVar("T", covariant=True)
R = TypeVar("R")
Column = InstrumentedAttribute[Any]
Query = Select[*tuple[Any, ...]]


@dataclass(frozen=True)
class Order:
    """The columns that order a connection, all in one direction. `name` keeps its cursors apart from others."""

    name: str
    columns: tuple[Column, ...]
    newest_first: bool = False

    @cached_property
    def types(self) -> tuple[type, ...]:
        """The Python types of the columns, as stored in a cursor."""
        return tuple(column.type.python_type for column in self.columns)

    def of(self, kind: Any) -> "Order":
        """Return the same order for an alias of the model."""
        return replace(self, columns=tuple(getattr(kind, column.key) for column in self.columns))


@dataclass(frozen=True)
class Page:
    """The page arguments: `size` rows after `after` or before `before`, from the start or the end."""

    size: int
    after: Key | None = None
    before: Key | None = None
    from_end: bool = False


@dataclass(frozen=True)
class Edge(Generic[T]):
    """A row of a page, and its cursor."""

    node: T
    cursor: str | Unreadable


@dataclass(frozen=True)
class PageInfo:
    """The position of a page in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | Unreadable | None
    end_cursor: str | Unreadable | None


@dataclass(frozen=True)
class Connection(Generic[T]):
    """A page of rows, in order."""

    edges: Sequence[Edge[T]]
    page_info: PageInfo
    count: Callable[[], int | Awaitable[int]] = lambda: 0
    """Counts the rows of the whole list, on demand."""

    def counted_by(self, count: Callable[[], int | Awaitable[int]]) -> "Connection[T]":
        """Return the page with a function that counts the whole list."""
        return replace(self, count=count)


def counted(found: Connection[T] | Exception, count: Callable[[], int | Awaitable[int]]) -> Connection[T] | Exception:
    """Return a page with a function that counts the whole list; an exception stays what it is."""
    return found if isinstance(found, Exception) else found.counted_by(count)


def edge_of(order: Order, row: R, *keys: object) -> Edge[R]:
    """Return the edge of a row at `keys` in an order, as in a page."""
    return Edge(row, cursor(order.name, order.types, keys))


def connection(edges: Sequence[Edge[T]], page: Page) -> Connection[T]:
    """Build a page from the rows read for it. One row more than requested means that a further page exists."""
    more = len(edges) > page.size
    edges = edges[: page.size]
    if page.from_end:
        edges = edges[::-1]
    cursors = [edge.cursor for edge in edges]
    # On the far side of the client's cursor there is at least the row of that cursor.
    return Connection(
        edges,
        PageInfo(
            has_next_page=(more and not page.from_end) or page.before is not None,
            has_previous_page=(more and page.from_end) or page.after is not None,
            start_cursor=_first_readable(cursors),
            end_cursor=_first_readable(cursors[::-1]),
        ),
    )


def _first_readable(cursors: Sequence[str | Unreadable]) -> str | Unreadable | None:
    # A row without a cursor is read again on the next page, but no row is skipped.
    return next((cursor for cursor in cursors if isinstance(cursor, str)), cursors[0] if cursors else None)


async def read_page(
    session: AsyncSession, query: Query, order: Order, page: Page, edge: Callable[[Row[Any], str | Unreadable], Edge[T]]
) -> Connection[T]:
    """Read one page of a query."""
    rows = await session.execute(_page_query(query, order, page).limit(page.size + 1))
    return connection([edge(row, _cursor(order, row)) for row in rows], page)


async def read_pages(
    session: AsyncSession,
    query: Query,
    order: Order,
    page: Page,
    edge: Callable[[Row[Any], str | Unreadable], Edge[T]],
    *,
    parent: Column,
    parents: Sequence[str],
) -> Mapping[str, Connection[T]]:
    """Read the same page of every parent in one statement. The result has an entry for every parent.

    If an index has the rows in this order, no more rows are visited per parent than its page has.
    """
    pages = _lateral_pages if session.get_bind().dialect.name == "postgresql" else _correlated_pages
    rows = await session.execute(pages(query, order, page, parent, parents))
    edges = defaultdict(list)
    for row in rows:
        edges[row.page_parent].append(edge(row, _cursor(order, row)))
    return {key: connection(edges[key], page) for key in parents}


def _lateral_pages(query: Query, order: Order, page: Page, parent: Column, parents: Sequence[str]) -> Query:
    asked = unnested(parents, "postgresql")
    found = _page_query(query, order, page).where(parent == asked.c.value).limit(page.size + 1).lateral("page")
    entities = [aliased(each["entity"], found, name=each["name"]) for each in query.column_descriptions]
    keys = [found.c[column.name] for column in _keys(order)]
    return (
        select(*entities, asked.c.value.label("page_parent"), *keys)
        .select_from(asked)
        .join(found, true())
        .order_by(*_directed(keys, order, page))
    )


def _correlated_pages(query: Query, order: Order, page: Page, parent: Column, parents: Sequence[str]) -> Query:
    # SQLite has no LATERAL. A subquery finds the rowids of each parent's page, and the rows are read by rowid.
    asked, row_id = unnested(parents, "sqlite"), rowid(parent)
    found = (
        _stretch(query, order, page)
        .where(parent == asked.c.value)
        .with_only_columns(row_id, maintain_column_froms=True)
        # Otherwise SQLite would walk an index of the other table, and scan the whole workspace.
        .order_by(*_directed([_of_parent(column, parent) for column in order.columns], order, page))
        .limit(page.size + 1)
        .correlate(asked)
    )
    # No workspace condition here: SQLite underestimates the workspace and would scan all of it.
    return (
        select(*_entities(query), asked.c.value.label("page_parent"), *_keys(order))
        .select_from(asked, *query.get_final_froms())
        .where(unindexed(parent) == asked.c.value, row_id.in_(found.scalar_subquery()))
        .order_by(*_directed([unindexed(column) for column in order.columns], order, page))
    )


def _page_query(query: Query, order: Order, page: Page) -> Query:
    return _stretch(query, order, page).add_columns(*_keys(order)).order_by(*_sorted(order, page))


def _stretch(query: Query, order: Order, page: Page) -> Query:
    def key(values: Key) -> ColumnElement[Any]:
        return tuple_(*(literal(value, column.type) for value, column in zip(values, order.columns, strict=True)))

    columns = tuple_(*order.columns)
    if page.after is not None:
        query = query.where(columns < key(page.after) if order.newest_first else columns > key(page.after))
    if page.before is not None:
        query = query.where(columns > key(page.before) if order.newest_first else columns < key(page.before))
    return query


def _sorted(order: Order, page: Page) -> list[ColumnElement[Any]]:
    return _directed(order.columns, order, page)


def _directed(columns: Sequence[Any], order: Order, page: Page) -> list[ColumnElement[Any]]:
    descending = order.newest_first != page.from_end
    return [column.desc() if descending else column.asc() for column in columns]


def _of_parent(column: Column, parent: Column) -> ColumnElement[Any]:
    return column.expression if column.class_ is parent.class_ else unindexed(column)


def _entities(query: Query) -> list[Any]:
    return [each["entity"] for each in query.column_descriptions]


def _keys(order: Order) -> list[ColumnElement[Any]]:
    return [column.label(f"page_key_{number}") for number, column in enumerate(order.columns)]


def _cursor(order: Order, row: Row[Any]) -> str | Unreadable:
    key = [row._mapping[f"page_key_{number}"] for number in range(len(order.columns))]
    return cursor(order.name, order.types, key)
