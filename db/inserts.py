"""Inserts: new rows, skipped where the key exists."""

from typing import Any, TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Base

R = TypeVar("R", bound=Base)

# Both engines have the ON CONFLICT clause, but SQLAlchemy has a class for each.
_INSERT: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


async def insert_if_absent(session: AsyncSession, row: R, *key: str) -> R | None:
    """Insert a row and return it as stored. None: a row with this key exists and stays unchanged.

    A violation of any other constraint is a fault, raised as `IntegrityError`.
    """
    model = type(row)
    inserted: R | None = await session.scalar(
        _INSERT[session.get_bind().dialect.name](model)
        .values(values(row))
        .on_conflict_do_nothing(index_elements=key)
        .returning(model)
    )
    return inserted


def values(row: Base) -> dict[str, Any]:
    """Return the attributes set on a row that is not stored yet."""
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}
