"""The base of the tables, and parts that several of them have."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, MetaData, Text, inspect, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.times import UtcDateTime, utcnow

NULLABLE_JSON = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""The type of a JSON column in which None is null, and not the JSON value `null`."""


def of_trash() -> Index:
    """Index the trashed rows only, in the order in which they were trashed."""
    trashed = text("deleted_at IS NOT NULL")
    return Index(None, "workspace_id", "deleted_at", "id", postgresql_where=trashed, sqlite_where=trashed)


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Restrict a column to the values of an enum."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class derived(property):  # noqa: N801 - a decorator
    """A property of a row that is read from columns: `@derived_from(columns)`."""

    columns: Sequence[str] = ()


def derived_from(*columns: str) -> Callable[[Callable[[Any], Any]], Any]:
    """Declare a property, and the columns that it is read from."""

    def declare(read: Callable[[Any], Any]) -> derived:
        declared = derived(read)
        declared.columns = columns
        return declared

    return declare


class Base(DeclarativeBase):
    """The base of all tables. Constraint names are predictable, because code matches on them."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: UtcDateTime(),
        dict[str, Any]: JSON().with_variant(JSONB(), "postgresql"),
        list[str]: JSON().with_variant(JSONB(), "postgresql"),
    }

    created_at: Mapped[datetime] = mapped_column(server_default=utcnow(), sort_order=100)
    updated_at: Mapped[datetime] = mapped_column(server_default=utcnow(), sort_order=101)


class Owned(Base):
    """A row of a workspace."""

    __abstract__ = True

    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.workspace_id"), primary_key=True, sort_order=-2)


@cache
def attributes(kind: type[Base]) -> Sequence[str]:
    """Return the attribute names of a model's columns, in the order of the table."""
    mapper = inspect(kind)
    return tuple(mapper.get_property_by_column(column).key for column in mapper.local_table.c)
