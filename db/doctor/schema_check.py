"""The schema check: the constraints and indexes that a database has, and those of ours that it lacks.

A constraint holds only as long as it exists. A partially restored dump, or manual changes, can keep the rows but lose
the constraint.
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
    """A constraint or index of a table: its kind and its name."""

    kind: str
    name: str | None


Parts = Mapping[Part, tuple[str, ...]]
"""The parts of a table, each with its columns. A check constraint has none."""

_KINDS: dict[type[Constraint], str] = {
    PrimaryKeyConstraint: "primary key",
    ForeignKeyConstraint: "foreign key",
    UniqueConstraint: "unique constraint",
    CheckConstraint: "check constraint",
}


def parts(connection: Connection, tables: Iterable[str]) -> Mapping[str, Parts]:
    """Return the constraints and indexes of the given tables, for those that exist."""
    inspector = inspect(connection)
    found: dict[str, Parts] = {}
    for table in tables:
        if not inspector.has_table(table):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # warnings about indexes that are not ours
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
    """Return the constraints and indexes that the models require, by table."""
    found = {}
    for table in Base.metadata.sorted_tables:
        of_table = {Part("index", str(index.name)): tuple(index.columns.keys()) for index in table.indexes}
        of_table |= {Part(_KINDS[type(each)], str(each.name)): _columns(each) for each in table.constraints}
        found[table.name] = of_table
    return found


async def missing_objects(session: AsyncSession) -> list[str]:
    """Return a sentence for each of our tables, constraints and indexes that is missing or altered."""
    connection = await session.connection()
    ours = needed()
    found = await connection.run_sync(parts, ours)
    missing = []
    for table, of_table in ours.items():
        if table not in found:
            missing.append(f"The table {table} is missing")
            continue
        for (kind, name), columns in sorted(of_table.items()):
            there = found[table].get(Part(kind, name))
            if there is None:
                missing.append(f"The {kind} {name} of {table} is missing")
            elif there != columns:
                missing.append(f"The {kind} {name} of {table} is not on {', '.join(columns)}")
    return missing


async def has_indexes(session: AsyncSession) -> bool:
    """Whether a PostgreSQL database has all our indexes by name, including those of keys."""
    names = {
        part.name
        for of_table in needed().values()
        for part in of_table
        if part.kind in ("primary key", "unique constraint", "index")
    }
    found = await session.scalar(_INDEXES, {"names": sorted(map(str, names))})
    return bool(found == len(names))


# to_regclass finds our tables on the search path, and ignores other tables there.
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
