"""The doctor: finds what breaks the rules that a database keeps, says so, and sets right what it can."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from db.connection.errors import DatabaseDamaged
from db.doctor import values
from db.doctor.invariants import INVARIANTS, Invariant, Rule
from db.doctor.scanner import Scanner, Violation
from db.store import Store
from services import access
from services.access import Action
from services.commands import long_command
from services.outcomes import Forbidden, TemporarilyUnavailable

MOST = 100
"""How many findings an answer has at most."""

VALUES = f"{Rule.DATABASE_SOUND} every value is one of its column"
ENCODING = f"{Rule.DATABASE_SOUND} the database keeps every text"
STRUCTURE = f"{Rule.DATABASE_SOUND} no table, constraint or index of ours is missing"
ENGINE = f"{Rule.DATABASE_SOUND} the engine's own check is clean"


@dataclass(frozen=True)
class Finding:
    """Something that breaks a rule: what is wrong, with which rows, and what a repair would do."""

    rule: Rule
    message: str
    ids: Sequence[str] = ()
    repair: str | None = None
    """None: a person has to look at it, because no repair is sure to lose nothing."""
    violation: Violation | None = field(default=None, repr=False)

    @property
    def workspace_id(self) -> str | None:
        """The workspace it is in; None: it is about the whole database."""
        return None if self.violation is None else self.violation.workspace_id


@dataclass(frozen=True)
class Examination:
    """What was found, as far as it fits into an answer."""

    findings: Sequence[Finding]
    has_more: bool


DoctorResult = Examination | Forbidden
RepairResult = Examination | Forbidden | TemporarilyUnavailable

Check = Callable[[Scanner], AsyncGenerator[Finding, None]]


def checks() -> dict[str, Check]:
    """Return all that can be looked for in a database, by the rule and what it says, in the order to do it in."""

    def check(invariant: Invariant) -> Check:
        return lambda patient: _broken(patient, invariant)

    named = {f"{invariant.rule} {invariant.name}": check(invariant) for invariant in INVARIANTS}
    return {**named, VALUES: _bad_values, ENCODING: _unfit_encoding, STRUCTURE: _lacking, ENGINE: _complaints}


async def repair(patient: Scanner, finding: Finding) -> None:
    """Set right what was found, unless it is right by now or needs a person.

    Raises `DatabaseUnavailable` or `DatabaseDamaged`.
    """
    if finding.violation is not None and finding.repair is not None:
        await patient.repair(finding.violation)


async def examine_workspace(store: Store) -> DoctorResult:
    """Look for what breaks a rule in the workspace of an owner. Raises `DatabaseUnavailable`."""
    if refused := access.refusal(store, Action.REPAIR):
        return refused
    return await _first(store.scanner, lambda finding: True)


@long_command
async def repair_workspace(store: Store) -> RepairResult:
    """Set right what can be in the workspace of an owner, and return what it was; what needs a person is left alone.

    As much as fits into an answer; where there is more, the next call goes on. Safe to repeat at any moment.
    """
    if refused := access.refusal(store, Action.REPAIR):
        return refused
    found = await _first(store.scanner, lambda finding: finding.repair is not None)
    for finding in found.findings:
        await repair(store.scanner, finding)
    return found


async def _first(patient: Scanner, wanted: Callable[[Finding], bool]) -> Examination:
    # Not the engine's own check: it is about everybody's rows, and takes as long as it takes.
    found: list[Finding] = []
    for invariant in INVARIANTS:
        async with aclosing(_broken(patient, invariant)) as findings:
            async for finding in findings:
                if wanted(finding):
                    found.append(finding)
                if len(found) > MOST:
                    return Examination(found[:MOST], has_more=True)
    return Examination(found, has_more=False)


async def _broken(patient: Scanner, invariant: Invariant) -> AsyncGenerator[Finding, None]:
    async with aclosing(patient.violations(invariant)) as violations:
        try:
            async for violation in violations:
                yield _finding(violation)
        except DatabaseDamaged as damaged:
            if patient.workspace_id is not None:
                raise
            # The others can be looked for all the same: each reads other files.
            yield Finding(Rule.DATABASE_SOUND, f"{invariant.rule} cannot be looked for to the end: {damaged}")


async def _bad_values(patient: Scanner) -> AsyncGenerator[Finding, None]:
    for table in values.tables():
        async with aclosing(patient.bad_values(table)) as found:
            try:
                async for bad in found:
                    where = f"{bad.table}.{bad.column} of the row {bad.row}"
                    yield Finding(Rule.DATABASE_SOUND, f"The value in {where} cannot be read: {bad.wrong}", (bad.row,))
            except DatabaseDamaged as damaged:
                yield Finding(
                    Rule.DATABASE_SOUND, f"The values of {table.name} cannot be looked at to the end: {damaged}"
                )


async def _unfit_encoding(patient: Scanner) -> AsyncGenerator[Finding, None]:
    if unfit := await patient.unfit_encoding():
        yield Finding(Rule.DATABASE_SOUND, unfit)


async def _lacking(patient: Scanner) -> AsyncGenerator[Finding, None]:
    try:
        lacking = await patient.lacking()
    except DatabaseDamaged as damaged:
        lacking = [f"The structure cannot be looked at: {damaged}"]
    for lack in lacking:
        yield Finding(Rule.DATABASE_SOUND, lack)


async def _complaints(patient: Scanner) -> AsyncGenerator[Finding, None]:
    for complaint in await patient.complaints():
        yield Finding(Rule.DATABASE_SOUND, complaint)


def _finding(violation: Violation) -> Finding:
    invariant, found = violation.invariant, violation.found
    # The workspace is no news, and numbers say how much, not what.
    ids = [value for name, value in found.items() if isinstance(value, str) and name != "workspace_id"]
    repair = None if invariant.remedy is None else invariant.remedy.format_map(found)
    return Finding(invariant.rule, invariant.wrong.format_map(found), ids, repair, violation)
