"""The engine check: errors that the database engine's own integrity check reports."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.connection import errors
from db.models import Base

MOST = 100
"""The maximum number of errors that each check reports."""

_SQLITE_FILE = f"SELECT integrity_check FROM pragma_integrity_check({MOST}) WHERE integrity_check <> 'ok'"  # noqa: S608 - our own number

# One line per foreign key, however many rows violate it.
_SQLITE_REFERENCES = f"""
    SELECT count(*) || ' rows of ' || "table" || ' refer to rows of ' || parent || ' that do not exist'
    FROM pragma_foreign_key_check GROUP BY "table", parent, fkid LIMIT {MOST}
"""  # noqa: S608 - our own number

# to_regclass finds our tables on the search path, and ignores other tables there.
_OURS = ", ".join(f"to_regclass('{table}')" for table in Base.metadata.tables)

_POSTGRESQL_CONSTRAINTS = f"""
    SELECT 'The constraint ' || conname || ' of ' || conrelid::regclass || ' is not valid'
    FROM pg_constraint WHERE NOT convalidated AND conrelid IN ({_OURS})
    ORDER BY conname LIMIT {MOST}
"""  # noqa: S608 - our own names

_POSTGRESQL_INDEXES = f"""
    SELECT 'The index ' || c.relname || ' of ' || i.indrelid::regclass || ' is not valid'
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT (i.indisvalid AND i.indisready) AND i.indrelid IN ({_OURS})
    ORDER BY c.relname LIMIT {MOST}
"""  # noqa: S608 - our own names

_CHECKS = {
    "sqlite": (_SQLITE_FILE, _SQLITE_REFERENCES),
    "postgresql": (_POSTGRESQL_CONSTRAINTS, _POSTGRESQL_INDEXES),
}


async def engine_errors(session: AsyncSession) -> list[str]:
    """Return a sentence for each error that the engine finds. A long list is cut off."""
    found: list[str] = []
    for check in _CHECKS[session.get_bind().dialect.name]:
        try:
            with errors.translate_damage():
                found += await session.scalars(text(check))
        except errors.DatabaseDamaged as damaged:
            found.append(str(damaged))
    return found
