"""Bounded mappings: caches that forget the entries that were used least recently."""

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Bounded(Generic[K, T]):
    """A mapping of at most so many entries."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[K, T] = OrderedDict()

    def get(self, key: K) -> T | None:
        """Return the value of a key, and note that it was used."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: T) -> None:
        """Set the value of a key; forget another entry if there are too many."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget a key."""
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)
