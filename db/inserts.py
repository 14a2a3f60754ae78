"""Inserts: new rows, skipped where the key exists."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Base
from db.times import utcnow

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


async def insert_absent(session: AsyncSession, rows: Sequence[Base], *key: str) -> AbstractSet[str]:
    """Insert rows of a table, and return the ids of those whose key did not exist."""
    if not rows:
        return set()
    model: Any = type(rows[0])
    insert = _INSERT[session.get_bind().dialect.name](model).on_conflict_do_nothing(index_elements=key)
    # Nulls are rendered; otherwise each run of rows with or without one becomes a separate statement.
    inserted = await session.scalars(
        insert.returning(model.id), [values(row) for row in rows], execution_options={"render_nulls": True}
    )
    return set(inserted)


async def insert_or_change(session: AsyncSession, row: R, *key: str, change: str, also: Sequence[str] = ()) -> R | None:
    """Insert a row, or change the stored one with its key, and return the row. None: it has the value of `change`.

    Where the column `change` differs, it takes the value of the new row, and so do the columns of `also`. A row that is
    not changed is locked nevertheless, so a following statement reads it.
    """
    model: Any = type(row)
    insert = _INSERT[session.get_bind().dialect.name](model).values(values(row))
    changes = {name: insert.excluded[name] for name in (change, *also)}
    changed: R | None = await session.scalar(
        insert.on_conflict_do_update(
            index_elements=key,
            set_={**changes, "updated_at": utcnow()},
            where=getattr(model, change) != insert.excluded[change],
        ).returning(model),
        execution_options={"populate_existing": True},
    )
    return changed


def values(row: Base) -> dict[str, Any]:
    """Return the attributes set on a row that is not stored yet."""
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}
