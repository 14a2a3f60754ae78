"""Rates: the limits of one user."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """The limits of one user; 0: no limit."""

    cost_per_minute: int = 0
    writes_per_minute: int = 0
    sockets: int = 0
    """Open at a time, in one process."""
    subscriptions: int = 0
    """Open at a time, in one process."""
