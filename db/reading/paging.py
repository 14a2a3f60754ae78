"""Keyset pagination: orders, pages, edges and connections."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import InstrumentedAttribute

from db.reading.cursors import Key, cursor
from db.reading.unreadable import Unreadable

T = TypeVar("T", covariant=True)
Column = InstrumentedAttribute[Any]


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


@dataclass(frozen=True)
class Page:
    """The page arguments: `size` rows after `after` or before `before`, from the start or the end."""

    size: int
    after: Key | None = None
    before: Key | None = None
    from_end: bool = False


class Edge(Generic[T]):
    """A row of a page, and its place in the order of its connection."""

    __slots__ = ("_key", "_order", "node")

    def __init__(self, node: T, order: Order, key: Sequence[Any]) -> None:
        self.node = node
        self._order = order
        self._key = key

    @property
    def cursor(self) -> str | Unreadable:
        """The cursor of the row; made on demand, because most operations select none."""
        return cursor(self._order.name, self._order.types, self._key)


@dataclass(frozen=True)
class PageInfo:
    """The position of a page in its list."""

    has_next_page: bool
    has_previous_page: bool
    edges: Sequence[Edge[Any]]

    @property
    def start_cursor(self) -> str | Unreadable | None:
        """The cursor of the first row that has one."""
        return _first_readable(edge.cursor for edge in self.edges)

    @property
    def end_cursor(self) -> str | Unreadable | None:
        """The cursor of the last row that has one."""
        return _first_readable(edge.cursor for edge in reversed(self.edges))


class Connection(Generic[T]):
    """A page of rows, in order."""

    __slots__ = ("count", "edges", "page_info")

    def __init__(
        self, edges: Sequence[Edge[T]], page_info: PageInfo, count: Callable[[], int | Awaitable[int]] = lambda: 0
    ) -> None:
        self.edges = edges
        self.page_info = page_info
        self.count = count
        """Counts the rows of the whole list, on demand."""

    def counted_by(self, count: Callable[[], int | Awaitable[int]]) -> "Connection[T]":
        """Return the page with a function that counts the whole list."""
        return Connection(self.edges, self.page_info, count)


def counted(found: Connection[T] | Exception, count: Callable[[], int | Awaitable[int]]) -> Connection[T] | Exception:
    """Return a page with a function that counts the whole list; an exception stays what it is."""
    return found if isinstance(found, Exception) else found.counted_by(count)


def connection(edges: Sequence[Edge[T]], page: Page) -> Connection[T]:
    """Build a page from the rows read for it. One row more than requested means that a further page exists."""
    more = len(edges) > page.size
    edges = edges[: page.size]
    if page.from_end:
        edges = edges[::-1]
    # On the far side of the client's cursor there is at least the row of that cursor.
    return Connection(
        edges,
        PageInfo(
            (more and not page.from_end) or page.before is not None,
            (more and page.from_end) or page.after is not None,
            edges,
        ),
    )


def _first_readable(cursors: Iterator[str | Unreadable]) -> str | Unreadable | None:
    # A row without a cursor is read again on the next page, but no row is skipped.
    first = next(cursors, None)
    return next((cursor for cursor in chain([first], cursors) if isinstance(cursor, str)), first)
