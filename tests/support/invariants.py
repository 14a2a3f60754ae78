"""Invariants: what must hold of every database, whatever happened to it, asked for by the doctor of the server."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Dialect, Select

from db.connection.database import Database
from db.doctor.invariants import INVARIANTS, Invariant
from db.doctor.scanner import Scanner
from services import doctor

_BESIDE_INVARIANTS = (doctor.VALUES, doctor.ENCODING, doctor.ENGINE)

_QUERIES: dict[str, str] = {}
"""The statement for all invariants, by the name of the dialect."""


def of_rows() -> Mapping[str, doctor.Check]:
    """Return what the doctor looks for in rows: not in the structure, from which tests take constraints away."""
    return {name: check for name, check in doctor.checks().items() if name != doctor.STRUCTURE}


async def violations(database: Database) -> list[str]:
    """Return a line for each finding: the rule and what it says, then what breaks it.

    The doctor goes through each invariant in stretches, a hundred statements in all. Most callers expect that it finds
    nothing, and ask thousands of times: one statement with the queries of all invariants tells whether it would.
    """
    checks = of_rows() if await _is_broken(database) else {name: of_rows()[name] for name in _BESIDE_INVARIANTS}
    return await _found(database, checks)


async def violations_in_stretches(database: Database) -> list[str]:
    """Do as `violations` does, and leave it to the doctor whether there are any."""
    return await _found(database, of_rows())


async def _found(database: Database, checks: Mapping[str, doctor.Check]) -> list[str]:
    scanner = Scanner(database)
    return [f"{name}: {finding.message}" for name, check in checks.items() async for finding in check(scanner)]


async def _is_broken(database: Database) -> bool:
    """Tell whether there is a row that breaks an invariant, without stretches."""
    async with database.read() as session:
        connection = await session.connection()
        result = await connection.exec_driver_sql(_query_of_all(connection.dialect))
        return bool(result.scalar())


def _query_of_all(dialect: Dialect) -> str:
    if dialect.name not in _QUERIES:
        exist = (f"EXISTS ({_literally(_broken(invariant), dialect)})" for invariant in INVARIANTS)
        _QUERIES[dialect.name] = f"SELECT {' OR '.join(exist)}"
    return _QUERIES[dialect.name]


def _broken(invariant: Invariant) -> Select[Any]:
    return invariant.broken if isinstance(invariant.broken, Select) else invariant.broken([])


def _literally(query: Select[Any], dialect: Dialect) -> str:
    return str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
