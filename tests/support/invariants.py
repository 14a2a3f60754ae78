"""Invariants: what must hold of every database, whatever happened to it, asked for by the doctor of the server."""

from db.database import Database
from db.patient import Patient
from services import doctor


async def violations(database: Database) -> list[str]:
    """Return a line for each finding: the rule and what it says, then what breaks it."""
    patient = Patient(database)
    return [f"{name}: {finding.message}" for name, check in doctor.checks().items() async for finding in check(patient)]
