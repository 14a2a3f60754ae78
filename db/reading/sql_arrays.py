"""Batches: many keys in one parameter, so that a statement has one text and one plan however many there are."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Self, cast

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Boolean,
    ColumnElement,
    Dialect,
    FromClause,
    Integer,
    Select,
    Text,
    UnaryExpression,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, aliased
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.sql.operators import OperatorType, custom_op
from sqlalchemy.types import TypeDecorator, TypeEngine


class TextArray(TypeDecorator[Sequence[str]]):
    """A list of texts as one value: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type of the engine."""
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        """Turn the list into what the engine takes."""
        return value if value is None or dialect.name == "postgresql" else json.dumps(value)


class _AnyOf(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Stay as it is: SQLite has no booleans, so SQLAlchemy would append `= 1`, and then no index is used."""
        return self


@compiles(_AnyOf, "postgresql")
def _postgresql(element: _AnyOf, compiler: Any, **kwargs: Any) -> str:
    column, keys = (compiler.process(part, **kwargs) for part in element.clauses)
    return f"{column} = ANY ({keys})"


@compiles(_AnyOf, "sqlite")
def _sqlite(element: _AnyOf, compiler: Any, **kwargs: Any) -> str:
    column, keys = (compiler.process(part, **kwargs) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({keys}))"  # noqa: S608 - both are compiled already


def any_of(column: InstrumentedAttribute[Any], keys: Iterable[str]) -> ColumnElement[bool]:
    """Select the rows whose column has one of the keys, of which there may be any number."""
    return _AnyOf(column, BindParameter("keys", list(keys), TextArray(), unique=True))


def unnested(keys: Iterable[str], dialect: str) -> FromClause:
    """Return a table of keys, in its column `value`, for a statement that looks up something for each of them."""
    given = BindParameter("keys", list(keys), TextArray(), unique=True)
    if dialect == "postgresql":
        return func.unnest(given).table_valued("value").render_derived(name="asked")
    return func.json_each(given).table_valued("value", name="asked")


def each_of(session: AsyncSession, query: Select[Any], column: InstrumentedAttribute[Any], keys: Iterable[str]) -> Any:
    """Select the rows of a query whose column has one of the keys, each by the index that begins with it."""
    if session.get_bind().dialect.name != "postgresql":
        return query.where(any_of(column, keys))
    asked = unnested(keys, "postgresql")
    found = planned_apart(query.where(column == asked.c.value)).lateral("found")
    entities = [aliased(each["entity"], found, name=each["name"]) for each in query.column_descriptions]
    return select(*entities).select_from(asked).join(found, true())


def planned_apart(query: Select[Any]) -> Select[Any]:
    """Keep the planner of PostgreSQL from merging a subquery with what is around it.

    It then runs for one row after the other, by an index, whatever the planner believes about the number of rows: of
    tables that are filled and not analysed yet it believes that a key has thousands.
    """
    return query.offset(literal_column("0"))


def unindexed(column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """Return the same value, for which SQLite looks into no index."""
    return UnaryExpression(cast(ColumnElement[Any], column), operator=custom_op("+"), type_=column.type)


def rowid(column: InstrumentedAttribute[Any]) -> ColumnElement[int]:
    """Return the number by which SQLite finds a row of the column's table."""
    return literal_column(f"{column.class_.__tablename__}.rowid", Integer)
