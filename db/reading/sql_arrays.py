"""SQL arrays: many keys in one parameter, so that a statement has one text and one plan for any number of keys."""

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
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.sql.operators import OperatorType, custom_op
from sqlalchemy.types import TypeDecorator, TypeEngine


class TextArray(TypeDecorator[Sequence[str]]):
    """A list of texts as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type for the engine."""
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        """Convert the list into the engine's form."""
        return value if value is None or dialect.name == "postgresql" else json.dumps(value)


class _AnyOf(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Return self: SQLite has no booleans, so SQLAlchemy would append `= 1`, and SQLite would use no index."""
        return self


@compiles(_AnyOf)
def _postgresql(element: _AnyOf, compiler: Any, **kwargs: Any) -> str:
    column, keys = (compiler.process(part, **kwargs) for part in element.clauses)
    return f"{column} = ANY ({keys})"


@compiles(_AnyOf, "sqlite")
def _sqlite(element: _AnyOf, compiler: Any, **kwargs: Any) -> str:
    column, keys = (compiler.process(part, **kwargs) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({keys}))"  # noqa: S608 - both parts are compiled SQL


def any_of(column: InstrumentedAttribute[Any], keys: Iterable[str]) -> ColumnElement[bool]:
    """Select the rows whose column has one of the keys, for any number of keys."""
    return _AnyOf(column, BindParameter("keys", list(keys), TextArray(), unique=True))


KEYS: BindParameter[Sequence[str]] = BindParameter("keys", type_=TextArray())
"""The keys that are read, as the parameter `keys` of a statement."""


def unnested(dialect: str) -> FromClause:
    """Return a table of the parameter `keys`, in its column `value`, for a statement with a lookup per key."""
    if dialect == "postgresql":
        return func.unnest(KEYS).table_valued("value").render_derived(name="asked")
    return func.json_each(KEYS).table_valued("value", name="asked")


def is_key(column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Select the rows whose column has one of the parameter `keys`."""
    return _AnyOf(column, KEYS)


def is_one_of(column: Any, keys: Any) -> ColumnElement[bool]:
    """Select the rows whose column has one of the keys: a list, or a parameter of the type `TextArray`."""
    return any_of(column, keys) if isinstance(keys, Sequence) else _AnyOf(column, keys)


def planned_apart(query: Select[Any]) -> Select[Any]:
    """Prevent PostgreSQL's planner from merging a subquery into the outer query.

    The subquery then runs per row, by index, whatever row counts the planner estimates. For filled tables that are not
    analysed yet, it estimates thousands of rows per key.
    """
    return query.offset(literal_column("0"))


def unindexed(column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """Return the column as an expression for which SQLite uses no index."""
    return UnaryExpression(cast(ColumnElement[Any], column), operator=custom_op("+"), type_=column.type)


def rowid(column: InstrumentedAttribute[Any]) -> ColumnElement[int]:
    """Return the SQLite rowid of the column's table."""
    return literal_column(f"{column.class_.__tablename__}.rowid", Integer)
