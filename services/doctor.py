"""The doctor: checks a database against the invariants, reports findings, and repairs what it can."""

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
"""The most findings in one result."""

VALUES = f"{Rule.DATABASE_SOUND} every value is valid for its column"
ENCODING = f"{Rule.DATABASE_SOUND} the encoding of the database can store every text"
STRUCTURE = f"{Rule.DATABASE_SOUND} no required table, constraint or index is missing"
ENGINE = f"{Rule.DATABASE_SOUND} the integrity check of the database engine passes"


@dataclass(frozen=True)
class Finding:
    """A violation of a rule, with the rows involved and the repair."""

    rule: Rule
    message: str
    ids: Sequence[str] = ()
    repair: str | None = None
    """None if a person has to decide, because every repair could lose data."""
    violation: Violation | None = field(default=None, repr=False)

    @property
    def workspace_id(self) -> str | None:
        """The workspace of the finding; None if it concerns the whole database."""
        return None if self.violation is None else self.violation.workspace_id


@dataclass(frozen=True)
class Examination:
    """The findings that fit into one result."""

    findings: Sequence[Finding]
    has_more: bool


DoctorResult = Examination | Forbidden
RepairResult = Examination | Forbidden | TemporarilyUnavailable

Check = Callable[[Scanner], AsyncGenerator[Finding, None]]


def checks() -> dict[str, Check]:
    """Return the checks of a database by name, in the order in which to run them."""

    def check(invariant: Invariant) -> Check:
        return lambda scanner: _broken(scanner, invariant)

    named = {f"{invariant.rule} {invariant.name}": check(invariant) for invariant in INVARIANTS}
    beside = {VALUES: _bad_values, ENCODING: _unfit_encoding, STRUCTURE: _missing_objects, ENGINE: _engine_errors}
    return {**named, **beside}


async def repair(scanner: Scanner, finding: Finding) -> None:
    """Repair a finding, unless it is already repaired or needs a person.

    Raises `DatabaseUnavailable` or `DatabaseDamaged`.
    """
    if finding.violation is not None and finding.repair is not None:
        await scanner.repair(finding.violation)


async def examine_workspace(store: Store) -> DoctorResult:
    """Check the workspace of the principal, who must be its owner. Raises `DatabaseUnavailable`."""
    if refused := access.on_workspace(store, Action.REPAIR):
        return refused
    return await _first(store.scanner, lambda finding: True)


@long_command
async def repair_workspace(store: Store) -> RepairResult:
    """Repair the workspace of the principal, who must be its owner, and return the repaired findings.

    One call repairs at most `MOST` findings, and the next call continues. Findings that need a person are left alone.
    Safe to retry at any time.
    """
    if refused := access.on_workspace(store, Action.REPAIR):
        return refused
    found = await _first(store.scanner, lambda finding: finding.repair is not None)
    for finding in found.findings:
        await repair(store.scanner, finding)
    return found


async def _first(scanner: Scanner, wanted: Callable[[Finding], bool]) -> Examination:
    # Without the check of the database engine: it covers all workspaces, and its duration has no limit.
    found: list[Finding] = []
    for invariant in INVARIANTS:
        async with aclosing(_broken(scanner, invariant)) as findings:
            async for finding in findings:
                if wanted(finding):
                    found.append(finding)
                if len(found) > MOST:
                    return Examination(found[:MOST], has_more=True)
    return Examination(found, has_more=False)


async def _broken(scanner: Scanner, invariant: Invariant) -> AsyncGenerator[Finding, None]:
    async with aclosing(scanner.violations(invariant)) as violations:
        try:
            async for violation in violations:
                yield _finding(violation)
        except DatabaseDamaged as damaged:
            if scanner.workspace_id is not None:
                raise
            # The other checks can still run, because each reads other files.
            yield Finding(Rule.DATABASE_SOUND, f"{invariant.rule} could not be checked completely: {damaged}")


async def _bad_values(scanner: Scanner) -> AsyncGenerator[Finding, None]:
    for table in values.tables():
        async with aclosing(scanner.bad_values(table)) as found:
            try:
                async for bad in found:
                    where = f"{bad.table}.{bad.column} of the row {bad.row}"
                    yield Finding(Rule.DATABASE_SOUND, f"The value in {where} cannot be read: {bad.wrong}", (bad.row,))
            except DatabaseDamaged as damaged:
                yield Finding(
                    Rule.DATABASE_SOUND, f"The values of {table.name} could not be checked completely: {damaged}"
                )


async def _unfit_encoding(scanner: Scanner) -> AsyncGenerator[Finding, None]:
    if unfit := await scanner.unfit_encoding():
        yield Finding(Rule.DATABASE_SOUND, unfit)


async def _missing_objects(scanner: Scanner) -> AsyncGenerator[Finding, None]:
    try:
        missing = await scanner.missing_objects()
    except DatabaseDamaged as damaged:
        missing = [f"The database schema could not be checked: {damaged}"]
    for each in missing:
        yield Finding(Rule.DATABASE_SOUND, each)


async def _engine_errors(scanner: Scanner) -> AsyncGenerator[Finding, None]:
    for error in await scanner.engine_errors():
        yield Finding(Rule.DATABASE_SOUND, error)


def _finding(violation: Violation) -> Finding:
    invariant, found = violation.invariant, violation.found
    # Only ids: the workspace is known, and numbers are quantities.
    ids = [value for name, value in found.items() if isinstance(value, str) and name != "workspace_id"]
    repair = None if invariant.remedy is None else invariant.remedy.format_map(found)
    return Finding(invariant.rule, invariant.wrong.format_map(found), ids, repair, violation)
