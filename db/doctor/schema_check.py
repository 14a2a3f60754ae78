"""Structure: the constraints and indexes that a database has, and those of ours that it lacks.

What a constraint promises is true only as long as it is there: a dump that was restored in part, or a hand that helped
itself, leaves the rows as they were and the promise gone.
"""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import (
    CheckConstraint,
    Connection,
    Constraint,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    UniqueConstraint,
    bindparam,
    inspect,
    text,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import ColumnCollectionConstraint

from db.models import Base
from db.reading.sql_arrays import TextArray


class Part(NamedTuple):
    """A part of a table: of which kind it is, and its name."""

    kind: str
    name: str | None


Parts = Mapping[Part, tuple[str, ...]]
"""The parts of a table, each with the columns that it is about; a check has none."""

_KINDS: dict[type[Constraint], str] = {
    PrimaryKeyConstraint: "primary key",
    ForeignKeyConstraint: "foreign key",
    UniqueConstraint: "unique constraint",
    CheckConstraint: "check constraint",
}


def parts(connection: Connection, tables: Iterable[str]) -> Mapping[str, Parts]:
    """Return the constraints and indexes of those of the tables that a database has."""
    inspector = inspect(connection)
    found: dict[str, Parts] = {}
    for table in tables:
        if not inspector.has_table(table):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # what it says of indexes that are not ours
            primary = inspector.get_pk_constraint(table)
            of_table = {Part("primary key", primary["name"]): tuple(primary["constrained_columns"])}
            for kind, rows, columns in (
                ("foreign key", inspector.get_foreign_keys(table), "constrained_columns"),
                ("unique constraint", inspector.get_unique_constraints(table), "column_names"),
                ("check constraint", inspector.get_check_constraints(table), ""),
                ("index", inspector.get_indexes(table), "column_names"),
            ):
                of_table |= _named(kind, rows, columns)
        found[table] = of_table
    return found


def needed() -> Mapping[str, Parts]:
    """Return the constraints and indexes of each table that the models have."""
    found = {}
    for table in Base.metadata.sorted_tables:
        of_table = {Part("index", str(index.name)): tuple(index.columns.keys()) for index in table.indexes}
        of_table |= {Part(_KINDS[type(each)], str(each.name)): _columns(each) for each in table.constraints}
        found[table.name] = of_table
    return found


async def missing_objects(session: AsyncSession) -> list[str]:
    """Return a sentence for each table, constraint and index of ours that is not there, or is not as it was made."""
    connection = await session.connection()
    ours = needed()
    found = await connection.run_sync(parts, ours)
    told = []
    for table, of_table in ours.items():
        if table not in found:
            told.append(f"The table {table} is not there")
            continue
        for (kind, name), columns in sorted(of_table.items()):
            there = found[table].get(Part(kind, name))
            if there is None:
                told.append(f"The {kind} {name} of {table} is not there")
            elif there != columns:
                told.append(f"The {kind} {name} of {table} is not on {', '.join(columns)}")
    return told


async def has_indexes(session: AsyncSession) -> bool:
    """Tell whether a PostgreSQL database has all our indexes, those of keys among them, by their names."""
    names = {
        part.name
        for of_table in needed().values()
        for part in of_table
        if part.kind in ("primary key", "unique constraint", "index")
    }
    found = await session.scalar(_INDEXES, {"names": sorted(map(str, names))})
    return bool(found == len(names))


# Wherever they are on the search path, and whoever else has indexes there.
_OURS = ", ".join(f"to_regclass('{table}')" for table in Base.metadata.tables)
_INDEXES = text(
    "SELECT count(*) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "  # noqa: S608 - our own names
    f"WHERE relname = ANY (:names) AND indisvalid AND indrelid IN ({_OURS})"
).bindparams(bindparam("names", type_=TextArray()))


def _named(kind: str, rows: Iterable[Any], columns: str) -> dict[Part, tuple[str, ...]]:
    return {Part(kind, row["name"]): tuple(row[columns]) if columns else () for row in rows}


def _columns(constraint: Constraint) -> tuple[str, ...]:
    if isinstance(constraint, CheckConstraint) or not isinstance(constraint, ColumnCollectionConstraint):
        return ()
    return tuple(column.name for column in constraint.columns)
