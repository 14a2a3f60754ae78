"""Paging: from the arguments of a connection to the page that is meant."""

from db.reading.cursors import Key, decode
from db.reading.paging import Order, Page
from services.limits import LARGEST_PAGE, PAGE_SIZE
from services.outcomes import BadArgument


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
    """Return the page meant by `first` rows after a cursor, or the `last` before one. Raises `BadArgument`.

    Without any argument it is the first page, or the last one of a list whose `newest` rows are at its end.
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


def _key(order: Order, argument: str, cursor: str | None) -> Key | None:
    if not cursor:  # a client that has no cursor yet may send an empty one
        return None
    try:
        return decode(order.name, order.types, cursor)
    except ValueError as error:
        raise BadArgument(f"{argument} is not a cursor of this connection") from error
