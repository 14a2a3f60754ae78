"""Positions: fractional keys that order the sections of a document, with room between any two."""

from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits

from fractional_indexing import FIError, generate_n_keys_between
from sqlalchemy import ColumnElement, and_, case, func
from sqlalchemy.orm import InstrumentedAttribute

LONGEST_POSITION = 48
"""The length beyond which no position is made: instead, all sections of the document get new positions."""

_SMALLEST = "A" + "0" * 26
"""The smallest key: no key sorts before it."""


class Malformed(ValueError):
    """A position is not a valid key, so no key can be generated after it."""


def after(last: str | None, count: int = 1) -> list[str]:
    """Return `count` keys, in order, after the last key of a document (None: the document is empty).

    Raises `Malformed`.
    """
    return between(last, None, count)


def between(first: str | None, last: str | None, count: int) -> list[str]:
    """Return `count` keys, in order, between two keys (None: the beginning, or the end). Raises `Malformed`."""
    try:
        keys: list[str] = generate_n_keys_between(first, last, count)
    except (FIError, IndexError, ValueError) as error:
        raise Malformed(first, last) from error
    return keys


def well_formed(column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Select the rows whose position is a valid key, so that keys can be generated after it."""
    # The first letter encodes the length of the integer part. The rest is a fraction, which must not end in 0.
    lengths = {letter: 2 + number for number, letter in enumerate(ascii_lowercase)}
    lengths |= {letter: 2 + number for number, letter in enumerate(reversed(ascii_uppercase))}
    length = func.length(column)
    fraction = length - case(lengths, value=func.substr(column, 1, 1), else_=length + 1)
    return and_(
        fraction.between(0, case((column.like("%0"), 0), else_=length)),
        func.trim(column, digits + ascii_letters) == "",
        column != _SMALLEST,
    )
