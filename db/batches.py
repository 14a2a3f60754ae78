"""Batches: many keys in one parameter, so that a statement has one text and one plan however many there are."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Self

from sqlalchemy import ARRAY, BindParameter, Boolean, ColumnElement, Dialect, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine


class Texts(TypeDecorator[Sequence[str]]):
    """A list of texts as one value: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type of the engine."""
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        """Turn the list into what the engine takes."""
        return value if value is None or dialect.name == "postgresql" else json.dumps(value)


class _Among(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Stay as it is: SQLite has no booleans, so SQLAlchemy would append `= 1`, and then no index is used."""
        return self


@compiles(_Among, "postgresql")
def _postgresql(element: _Among, compiler: Any, **kwargs: Any) -> str:
    column, keys = (compiler.process(part, **kwargs) for part in element.clauses)
    return f"{column} = ANY ({keys})"


@compiles(_Among, "sqlite")
def _sqlite(element: _Among, compiler: Any, **kwargs: Any) -> str:
    column, keys = (compiler.process(part, **kwargs) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({keys}))"  # noqa: S608 - both are compiled already


def among(column: InstrumentedAttribute[Any], keys: Iterable[str]) -> ColumnElement[bool]:
    """Select the rows whose column has one of the keys, of which there may be any number."""
    return _Among(column, BindParameter("keys", list(keys), Texts(), unique=True))
