"""Paging: validates the arguments of a connection and returns the requested page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from db.reading.cursors import Key, decode
from db.reading.loader import Loaded, Loader
from db.reading.loaders import PageKey
from db.reading.paging import Connection, Order, Page, connection, counted
from services.limits import LARGEST_PAGE, PAGE_SIZE
from services.outcomes import BadArgument

T = TypeVar("T")


def page(
    order: Order,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    *,
    largest: int = LARGEST_PAGE,
    newest: bool = False,
) -> Page:
    """Return the page of the `first` rows after a cursor, or of the `last` rows before one. Raises `BadArgument`.

    Without arguments, return the first page, or with `newest` the last page, which has the newest rows.
    """
    if newest and first is None and last is None and after is None:
        last = PAGE_SIZE
    if first is not None and last is not None:
        raise BadArgument("first and last cannot be used together")
    name, size = ("first", first) if last is None else ("last", last)
    size = PAGE_SIZE if size is None else size
    if not 0 <= size <= largest:
        raise BadArgument(f"{name} is not from 0 to {largest}")
    return Page(size, _key(order, "after", after), _key(order, "before", before), from_end=last is not None)


async def pages_where(
    may: Sequence[bool],
    parents: Sequence[str],
    page: Page,
    load: Loader[PageKey, Connection[T]],
    counts: Loader[str, int],
) -> Sequence[Loaded[Connection[T]]]:
    """Return a page for each parent, by id; an empty one for those where the principal may not see it."""
    wanted = [parent for parent, is_shown in zip(parents, may, strict=True) if is_shown]
    found = await load.load_many([(parent, page) for parent in wanted])
    shown = {parent: counted(each, partial(counts.get, parent)) for parent, each in zip(wanted, found, strict=True)}
    return [shown.get(parent) or connection([], Page(0)) for parent in parents]


async def every(
    read: Callable[[Page], Awaitable[Connection[T]]], place: Callable[[T], Key], *, from_end: bool = False
) -> AsyncIterator[T]:
    """Return all rows of a connection, or with `from_end` from its last to its first, read page by page.

    `place` returns the key of a row in the order of the connection.
    """
    reached: Key | None = None
    while True:
        page = Page(LARGEST_PAGE, before=reached, from_end=True) if from_end else Page(LARGEST_PAGE, reached)
        found = await read(page)
        nodes = [edge.node for edge in found.edges][:: -1 if from_end else 1]
        for node in nodes:
            yield node
        if not (found.page_info.has_previous_page if from_end else found.page_info.has_next_page):
            return
        reached = place(nodes[-1])


def _key(order: Order, argument: str, cursor: str | None) -> Key | None:
    if not cursor:  # a client without a cursor may send an empty string
        return None
    try:
        return decode(order.name, order.types, cursor)
    except ValueError as error:
        raise BadArgument(f"{argument} is not a cursor of this connection") from error
