"""Bisection: a batched read in which only the failing keys fail."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from db.connection import errors

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


async def read_each(
    read: Callable[[Sequence[K]], Awaitable[Mapping[K, T]]], keys: Sequence[K]
) -> Mapping[K, T | Exception]:
    """Read keys in one batch. If that fails because of single keys, bisect the batch down to those keys.

    The result has the values that `read` returned, and the error of each key that fails alone. An error that affects
    every key is raised at once, without another statement: `DatabaseUnavailable`, or a statement that cannot run.
    """
    try:
        return await read(keys)
    except Exception as error:
        if errors.is_of_all(error):
            raise
        if len(keys) == 1:
            return {keys[0]: error}
    middle = len(keys) // 2
    # One half after the other: a batch of many callers must not become many concurrent statements.
    return {**await read_each(read, keys[:middle]), **await read_each(read, keys[middle:])}
