"""Times: UTC, from the database's clock, the same on every engine."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeDecorator

from db.reading.unreadable import Unreadable

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)


def clamped(moment: datetime) -> datetime:
    """Return a time, or the closest one that has a UTC time."""
    return min(max(moment, EARLIEST), LATEST)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite stores it as text without a zone, so reading adds the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """The Python type of a value; SQLAlchemy does not derive it for a decorated type."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert an aware datetime into the value that the engine stores."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Convert the stored value into an aware datetime, or into `Unreadable` if it is not a time."""
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


class utcnow(FunctionElement[datetime]):  # noqa: N801 - named like the SQL function
    """The database's clock at the start of the statement, so that the times of one row agree."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(utcnow, "postgresql")
def _postgresql(element: utcnow, compiler: Any, **kwargs: Any) -> str:
    return "statement_timestamp()"


@compiles(utcnow, "sqlite")
def _sqlite(element: utcnow, compiler: Any, **kwargs: Any) -> str:
    # SQLAlchemy reads six fractional digits; SQLite's clock has three.
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
