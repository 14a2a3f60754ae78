"""Invariants: what must hold of every database, whatever happened to it, asked for by the doctor of the server."""

from collections.abc import Mapping

from db.connection.database import Database
from db.doctor.scanner import Scanner
from services import doctor


def of_rows() -> Mapping[str, doctor.Check]:
    """Return what the doctor looks for in rows: not in the structure, from which tests take constraints away."""
    return {name: check for name, check in doctor.checks().items() if name != doctor.STRUCTURE}


async def violations(database: Database) -> list[str]:
    """Return a line for each finding: the rule and what it says, then what breaks it."""
    patient = Scanner(database)
    return [f"{name}: {finding.message}" for name, check in of_rows().items() async for finding in check(patient)]
