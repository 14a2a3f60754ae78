"""Values: stored values that are invalid for their columns.

SQLite stores any value in any column. PostgreSQL stores JSON of any shape, and times outside Python's range. The
server writes no such value, but other tools may.
"""

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Integer, Select, Table, Text, column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Base, DocumentAccess, MessageRole, SectionStatus, UserKind
from db.reading.unreadable import Unreadable, parsed_json
from db.times import UtcDateTime

STRETCH = 500
"""The number of rows read at once; small, because a row may be long."""

Reading = Callable[[], AbstractAsyncContextManager[AsyncSession]]


@dataclass(frozen=True)
class BadValue:
    """A value that is invalid for its column. The value itself is omitted, because it may be a user's text."""

    table: str
    column: str
    row: str
    """The key of the row, or its rowid on SQLite."""
    wrong: str


def tables() -> Sequence[Table]:
    """Return our tables."""
    return Base.metadata.sorted_tables


async def bad_values(reading: Reading, table: Table) -> AsyncGenerator[BadValue, None]:
    """Check every value of a table, a stretch of rows at a time.

    Raises `DatabaseUnavailable` or `DatabaseDamaged`.
    """
    after: Sequence[Any] | None = None
    while True:
        async with reading() as session:
            dialect = session.get_bind().dialect.name
            # By rowid on SQLite: it identifies rows even if their keys are unreadable.
            walk = ["rowid"] if dialect == "sqlite" else [each.name for each in table.primary_key]
            looked_at = [each for each in table.c if dialect == "sqlite" or not _fits_always(each)]
            names = [*walk, *(each.name for each in (*table.primary_key, *looked_at))]
            # Untyped columns: a type would convert the stored value.
            query: Select[*tuple[Any, ...]] = (
                select(*map(column, names)).select_from(table).order_by(*map(column, walk)).limit(STRETCH)
            )
            if after is not None:
                query = query.where(tuple_(*map(column, walk)) > tuple_(*after))
            rows = (await session.execute(query)).all()
        for row in rows:
            after, key, values = row[: len(walk)], row[len(walk) : -len(looked_at)], row[-len(looked_at) :]
            for each, value in zip(looked_at, values, strict=True):
                if wrong := _wrong(each, value):
                    named = all(isinstance(part, str) for part in key)
                    yield BadValue(table.name, each.name, ", ".join(key) if named else f"rowid {after[0]}", wrong)
        if len(rows) < STRETCH:
            return


_ONE_OF: dict[tuple[str, str], set[Any]] = {
    ("api_keys", "kind"): set(UserKind),
    ("documents", "access"): set(DocumentAccess),
    ("messages", "role"): set(MessageRole),
    ("sections", "status"): set(SectionStatus),
    ("users", "kind"): set(UserKind),
}
_OBJECTS = ("details", "metadata", "link_definitions")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")
"""The format of a time in SQLite. In this format times sort as texts."""


def _fits_always(each: Column[Any]) -> bool:
    # PostgreSQL guarantees that a text is valid.
    return isinstance(each.type, Text) and (each.table.name, each.name) not in _ONE_OF


def _wrong(each: Column[Any], value: Any) -> str | None:
    """Return why a value, as the driver returns it, is invalid for a column. None: it is valid."""
    if isinstance(value, Unreadable):
        return str(value)
    if value is None:
        return None if each.nullable else "it is missing"
    match each.type:
        case Text():
            fits = isinstance(value, str) and value in _ONE_OF.get((each.table.name, each.name), {value})
        case Boolean():
            fits = value in (0, 1)
        case Integer():
            fits = isinstance(value, int) and -(2**31) <= value < 2**31
        case UtcDateTime():
            fits = isinstance(value, datetime) or _is_time(value)
        case JSON():
            fits = _has_shape(each, parsed_json(value) if isinstance(value, str) else value)
        case _:
            fits = True
    return None if fits else f"it is not {_MEANT[type(each.type)]}"


_MEANT = {
    Text: "a text that this column can have",
    Boolean: "true or false",
    Integer: "a number of 32 bits",
    UtcDateTime: "a time",
    JSON: "JSON of the shape that this column has",
}


def _is_time(value: object) -> bool:
    try:
        return bool(isinstance(value, str) and _TIME.fullmatch(value) and datetime.fromisoformat(value))
    except ValueError:
        return False


def _has_shape(each: Column[Any], value: object) -> bool:
    if each.name in _OBJECTS:
        return isinstance(value, dict)
    return isinstance(value, list) and all(isinstance(tag, str) for tag in value)
