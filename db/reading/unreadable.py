"""Unreadable values: what stands in the place of a stored value that its column cannot mean."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""From when PostgreSQL counts."""


class Unreadable(Exception):
    """A stored value that cannot be read, and why; the value itself is not told, for it may be somebody's text.

    It is no reason for a row not to be read: it is raised where this one value is asked for.
    """


def text(stored: bytes) -> str | Unreadable:
    """Return a text of SQLite, which does not look at what it is given."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return Unreadable("it is not UTF-8")


def parsed_json(stored: str) -> Any:
    """Return what JSON of either engine says."""
    try:
        return json.loads(stored)
    except (TypeError, ValueError, RecursionError):
        return Unreadable("it is not JSON")


def moment(stored: tuple[int]) -> datetime | Unreadable:
    """Return a time of PostgreSQL, which has earlier and later ones than Python, and the two ends of time."""
    try:
        return EPOCH + timedelta(microseconds=stored[0])
    except OverflowError:
        return Unreadable("it is before or after all times that can be read")


def stored_moment(value: datetime) -> tuple[int]:
    """Return a time as PostgreSQL counts it."""
    return ((value - EPOCH) // timedelta(microseconds=1),)
