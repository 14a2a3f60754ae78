"""Cursors: the keyset of a row in its order, encoded as opaque text for clients."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from db.ids import is_storable
from db.reading.unreadable import Unreadable

Key = tuple[str | int | datetime, ...]
"""A row's values in the columns that order its connection."""

_LONGEST = 5_000
_LARGEST_INT = 2**31 - 1


def cursor(order: str, types: Sequence[type], key: Sequence[Any]) -> str | Unreadable:
    """Return the cursor of a row, or `Unreadable` if its key cannot be encoded."""
    if all(map(_fits, types, key)):
        return encode(order, tuple(key))
    return Unreadable("the row has no place in its order")


def encode(order: str, key: Key) -> str:
    """Return the cursor of the row at `key` in the named order."""
    values = [value.isoformat() if isinstance(value, datetime) else value for value in key]
    return base64.urlsafe_b64encode(json.dumps([order, *values], separators=(",", ":")).encode()).decode().rstrip("=")


def decode(order: str, types: Sequence[type], cursor: str) -> Key:
    """Return the key in a cursor of the named order. Raises `ValueError` for any text that `encode` did not make."""
    if len(cursor) > _LONGEST:
        raise ValueError("too long")
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        named, *values = json.loads(data)
    except (binascii.Error, TypeError, RecursionError) as error:
        raise ValueError("not a cursor") from error
    if named != order or len(values) != len(types):
        raise ValueError("of another connection")
    key = tuple(_value(type_, value) for type_, value in zip(types, values, strict=True))
    if encode(order, key) != cursor:
        raise ValueError("not as we write it")
    return key


def _fits(type_: type, value: object) -> bool:
    if isinstance(value, int):
        return type_ is int and 0 <= value <= _LARGEST_INT
    return isinstance(value, type_) and not (isinstance(value, str) and "\0" in value)


def _value(type_: type, value: object) -> str | int | datetime:
    match value:
        case str() if type_ is datetime:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise ValueError("no time zone")
            try:
                return moment.astimezone(UTC)
            except OverflowError as error:
                raise ValueError("before or after all time") from error
        case str() if type_ is str and is_storable(value):
            return value
        case int() if type_ is int and not isinstance(value, bool) and 0 <= value <= _LARGEST_INT:
            return value
    raise ValueError("not a key of this connection")
