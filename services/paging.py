"""Paging: validates the arguments of a connection and returns the requested page."""

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


def _key(order: Order, argument: str, cursor: str | None) -> Key | None:
    if not cursor:  # a client without a cursor may send an empty string
        return None
    try:
        return decode(order.name, order.types, cursor)
    except ValueError as error:
        raise BadArgument(f"{argument} is not a cursor of this connection") from error
