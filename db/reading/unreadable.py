"""Unreadable values: placeholders for stored values that are invalid for their columns."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""The epoch of PostgreSQL times."""


class Unreadable(Exception):
    """A stored value that cannot be decoded, and the reason. The value is omitted: it may be a user's text.

    The rest of the row stays readable. This exception is raised only when the value itself is requested.
    """


def text(stored: bytes) -> str | Unreadable:
    """Decode a text of SQLite, which does not validate what it stores."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return Unreadable("it is not UTF-8")


def parsed_json(stored: str) -> Any:
    """Decode JSON from either engine."""
    try:
        return json.loads(stored)
    except (TypeError, ValueError, RecursionError):
        return Unreadable("it is not JSON")


def moment(stored: tuple[int]) -> datetime | Unreadable:
    """Decode a PostgreSQL time, which may be infinite or outside Python's range."""
    try:
        return EPOCH + timedelta(microseconds=stored[0])
    except OverflowError:
        return Unreadable("it is before or after all times that can be read")


def stored_moment(value: datetime) -> tuple[int]:
    """Encode a time as microseconds since PostgreSQL's epoch."""
    return ((value - EPOCH) // timedelta(microseconds=1),)
