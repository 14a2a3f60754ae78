"""Times: UTC, from the database's clock, the same on every engine."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeDecorator

from db.reading.unreadable import Unreadable


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite keeps it as text without a zone, so the zone is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """What a value of it is, which a type of one's own has to say by itself."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware datetime into what the engine stores."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Turn what the engine stores into an aware datetime, or into `Unreadable` where it is no time."""
        parse = self.impl_instance.result_processor(dialect, coltype)

        def read(value: Any) -> datetime | Unreadable | None:
            if value is None or isinstance(value, Unreadable):
                return value
            try:
                at: Any = parse(value) if parse else value
                utc: datetime = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
                return utc
            except (AttributeError, OverflowError, TypeError, ValueError):
                return Unreadable("it is not a time")

        return read


class utcnow(FunctionElement[datetime]):  # noqa: N801 - it reads as the SQL function it is
    """The database's clock at the start of the statement, so that a row's times agree with each other."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(utcnow, "postgresql")
def _postgresql(element: utcnow, compiler: Any, **kwargs: Any) -> str:
    return "statement_timestamp()"


@compiles(utcnow, "sqlite")
def _sqlite(element: utcnow, compiler: Any, **kwargs: Any) -> str:
    # SQLAlchemy reads six fractional digits; SQLite's clock gives three.
    return "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"


class minutes_ago(utcnow):  # noqa: N801 - as above
    """The database's clock two minutes before the start of the statement."""

    inherit_cache = True


@compiles(minutes_ago, "postgresql")
def _postgresql_ago(element: minutes_ago, compiler: Any, **kwargs: Any) -> str:
    return "(statement_timestamp() - interval '2 minutes')"


@compiles(minutes_ago, "sqlite")
def _sqlite_ago(element: minutes_ago, compiler: Any, **kwargs: Any) -> str:
    return "(strftime('%Y-%m-%d %H:%M:%f000', 'now', '-2 minutes'))"
