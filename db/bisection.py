"""Bisection: a read that many keys share, of which only the key that fails, fails."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from db.connection import errors

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


async def read_each(
    read: Callable[[Sequence[K]], Awaitable[Mapping[K, T]]], keys: Sequence[K]
) -> Mapping[K, T | Exception]:
    """Read keys together; where that fails for a reason that may be of one key, in halves, down to that key alone.

    The answer has what `read` returned, and for each key that fails alone its error. Raises what would happen to every
    key, at once and without another statement: `Unavailable`, or that the statement itself cannot be run.
    """
    try:
        return await read(keys)
    except Exception as error:
        if errors.is_of_all(error):
            raise
        if len(keys) == 1:
            return {keys[0]: error}
    middle = len(keys) // 2
    # One after the other: the keys of many callers must not become as many statements at once.
    return {**await read_each(read, keys[:middle]), **await read_each(read, keys[middle:])}
