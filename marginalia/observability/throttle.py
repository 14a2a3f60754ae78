"""Throttle: for log lines about events that a client can cause as often as it likes."""

import time

LOG_INTERVAL_S = 1.0
"""The shortest time between two lines, unless another is given."""


class Throttle:
    """Lets one event in an interval be logged, and counts the others."""

    def __init__(self, interval_s: float = LOG_INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._logged_at: float | None = None
        self._unlogged = 0

    def count(self) -> int:
        """Count an event. Return how many to log now, this one included; 0: log nothing."""
        now = time.monotonic()
        self._unlogged += 1
        if self._logged_at is not None and now < self._logged_at + self._interval_s:
            return 0
        self._logged_at, unlogged, self._unlogged = now, self._unlogged, 0
        return unlogged
