"""Sliding windows: units used in the last minute, kept in this process for a bounded number of keys.

A storage for the strategy of the `limits` library. The library's own one for asyncio starts a task at each use that
visits every key: with ten thousand users that takes 2 ms, and this one 4 µs. `python -m benchmarks.rates` shows both.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from limits.aio.storage import Storage
from limits.aio.storage.base import SlidingWindowCounterSupport

KEPT_WINDOWS = 50_000
"""The number of keys with state, about 15 MB. Beyond it, the key that was not used for longest is forgotten."""


@dataclass(slots=True)
class _Window:
    began: float
    current: int = 0
    previous: int = 0


class WindowStorage(Storage, SlidingWindowCounterSupport):
    """A storage that works as that for Redis does: a window begins with the first use of its key."""

    STORAGE_SCHEME = ["async+marginalia-windows"]  # noqa: RUF012 - the library wants a list

    def __init__(self, most: int = KEPT_WINDOWS, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._most = most
        self._clock = clock

    def __len__(self) -> int:
        """Return the number of keys with state."""
        return len(self._windows)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Use some units of a limit, if that many are left."""
        now = self._clock()
        window = self._window(key, expiry, now)
        weight = 1 - (now - window.began) / expiry
        if math.floor(window.previous * weight) + window.current + amount > limit:
            return False
        window.current += amount
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the units used in the previous and in the current window, each with the seconds until it ends.

        The current window ends when nothing of it counts any more: after its own time, and once more that time.
        """
        now = self._clock()
        window = self._window(key, expiry, now)
        left = expiry - (now - window.began)
        return window.previous, left, window.current, left + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget a key."""
        await self.clear(key)

    async def clear(self, key: str) -> None:
        """Forget a key."""
        self._windows.pop(key, None)

    async def reset(self) -> int | None:
        """Forget all keys."""
        count = len(self._windows)
        self._windows.clear()
        return count

    async def check(self) -> bool:
        """Memory is always there."""
        return True

    @property
    def base_exceptions(self) -> type[Exception]:
        """Nothing here fails."""
        return ValueError

    def _window(self, key: str, expiry: int, now: float) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(now)
            if len(self._windows) > self._most:
                self._windows.popitem(last=False)
            return window
        self._windows.move_to_end(key)
        elapsed = now - window.began
        if elapsed >= 2 * expiry:
            window.began, window.previous, window.current = now, 0, 0
        elif elapsed >= expiry:
            window.began, window.previous, window.current = window.began + expiry, window.current, 0
        return window

    # For other strategies, which we do not use.

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Not supported."""
        raise NotImplementedError

    async def get(self, key: str) -> int:
        """Not supported."""
        raise NotImplementedError

    async def get_expiry(self, key: str) -> float:
        """Not supported."""
        raise NotImplementedError
