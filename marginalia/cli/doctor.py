"""The doctor's command line: prints findings as they come, as text or JSON, and a summary."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from db.connection.database import Database
from db.connection.errors import DatabaseDamaged, DatabaseUnavailable
from db.doctor.scanner import Scanner
from marginalia.terminal import as_json, write_line
from services import doctor
from services.doctor import Finding


class Report:
    """Prints each finding as it comes, then a summary."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._found: Counter[str] = Counter()
        self._repaired = 0

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self._found

    def add(self, finding: Finding, *, repaired: bool, hindrance: str | None) -> None:
        """Print a finding. `hindrance` is the reason why an attempted repair failed."""
        self._found[finding.rule] += 1
        self._repaired += repaired
        if self._as_json:
            self._print(
                rule=finding.rule,
                workspace=finding.workspace_id,
                message=finding.message,
                ids=list(finding.ids),
                repair=finding.repair,
                repaired=repaired,
                hindrance=hindrance,
            )
            return
        place = "" if finding.workspace_id is None else f" [workspace {finding.workspace_id}]"
        write_line(f"{finding.rule}  {finding.message}{place}")
        if finding.repair is None:
            write_line("    Not repaired: a person has to look at it.")
        elif repaired:
            write_line(f"    Repaired: {finding.repair}.")
        elif hindrance is not None:
            write_line(f"    Not repaired: {hindrance}")
        else:
            write_line(f"    --repair would: {finding.repair}.")

    def end(self) -> None:
        """Print the summary."""
        found = self._found.total()
        if self._as_json:
            summary = {"findings": found, "repaired": self._repaired, "left": found - self._repaired}
            self._print(summary={**summary, "by_rule": dict(sorted(self._found.items()))})
        elif self.clean:
            write_line("Nothing found.")
        else:
            by_rule = ", ".join(f"{rule}: {count:,}" for rule, count in sorted(self._found.items()))
            write_line(f"{found:,} found ({by_rule}), {self._repaired:,} repaired, {found - self._repaired:,} left.")

    def _print(self, **values: object) -> None:
        write_line(as_json(values))


async def examine(database: Database, *, repair: bool, as_json: bool) -> bool:
    """Run all checks, repair the findings if requested, and print them. Return whether nothing was found.

    Raises `DatabaseUnavailable` if the database cannot be read.
    """
    scanner, report = Scanner(database), Report(as_json=as_json)
    for check in _reported(doctor.checks()):
        async with aclosing(check(scanner)) as findings:
            async for finding in findings:
                hindrance = await _repaired(scanner, finding) if repair else None
                repaired = repair and finding.repair is not None and hindrance is None
                report.add(finding, repaired=repaired, hindrance=hindrance)
    report.end()
    return report.clean


async def _repaired(scanner: Scanner, finding: Finding) -> str | None:
    """Repair a finding. Return the reason if the repair failed."""
    try:
        await doctor.repair(scanner, finding)
    except DatabaseUnavailable as error:
        return f"the database could not finish in time ({error}), please try again"
    except DatabaseDamaged as error:
        return f"the database is damaged: {error}"
    return None


def _reported(checks: dict[str, doctor.Check]) -> Iterator[doctor.Check]:
    """Yield the checks one by one, and report each on standard error: as a line, or as a bar on a terminal."""
    errors = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    # Findings share the console with the bar only if both go to the terminal.
    shared = sys.stdout.isatty()
    with Progress(
        *columns, console=errors, transient=True, disable=not errors.is_terminal, redirect_stdout=shared
    ) as progress:
        task = progress.add_task("")
        for name, check in checks.items():
            progress.update(task, description=name)
            if not errors.is_terminal:
                write_line(name, error=True)
            yield check
