"""The report: one table for each workload, as text or as Markdown."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.load import Round
from benchmarks.servers import OURS

LOAD = "load: the share of a core that the load generator took; near 100% it would be the bottleneck."


TABLES = "<!-- written by benchmarks.compare -->", "<!-- end of benchmarks.compare -->"
EXECUTION = "<!-- written by benchmarks.execution -->", "<!-- end of benchmarks.execution -->"
"""The comments around what a benchmark writes into docs/performance.md."""


@dataclass(frozen=True)
class Sample:
    """A round with the processor time per request, in microseconds, of the server and of PostgreSQL."""

    round: Round
    server_cpu: float
    database_cpu: float


@dataclass(frozen=True)
class Measured:
    """The rounds of a server, and its memory after them, in bytes."""

    title: str
    samples: Sequence[Sample]
    memory: int

    def median(self, part: str) -> float:
        """Return the median of a figure of the rounds."""
        figures: list[float] = [getattr(sample.round, part) for sample in self.samples]
        return median(figures)


HEAD = ("requests/s", "p50 ms", "p99 ms", "CPU µs", "PostgreSQL µs", "memory MiB", "ratio", "of rounds", "load")
"""The columns. CPU is the processor time per request; ratio is requests/s as a multiple of ours."""


def lines(measured: Mapping[str, Measured]) -> Sequence[tuple[str, ...]]:
    """Return a line for each server, with its name first and then the columns of `HEAD`."""
    ours = measured.get(OURS)
    return [
        (
            name,
            f"{each.median('per_second'):,.0f}",
            f"{each.median('p50'):.2f}",
            f"{each.median('p99'):.2f}",
            f"{median(sample.server_cpu for sample in each.samples):,.0f}",
            f"{median(sample.database_cpu for sample in each.samples):,.0f}",
            f"{each.memory / 2**20:,.0f}",
            *_ratio(each, ours),
            f"{each.median('own_share'):.0%}",
        )
        for name, each in measured.items()
    ]


def _ratio(each: Measured, ours: Measured | None) -> tuple[str, str]:
    if ours is None:
        return "", ""
    pairs = zip(each.samples, ours.samples, strict=True)
    ratios = sorted(theirs.round.per_second / mine.round.per_second for theirs, mine in pairs)
    return f"{median(ratios):.2f}", f"{ratios[0]:.2f}-{ratios[-1]:.2f}"


def text(name: str, title: str, measured: Mapping[str, Measured]) -> str:
    """Return the table of a workload for a terminal."""
    widths = (18, *(max(len(column), 11) + 2 for column in HEAD))
    rows = [(name, *HEAD), *lines(measured)]
    table = (
        "".join(
            f"{cell:{width}}" if n == 0 else f"{cell:>{width}}"
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join([title, *table, ""])


def markdown(title: str, measured: Mapping[str, Measured]) -> str:
    """Return the table of a workload as Markdown, with our row in bold."""
    rows = [("", *HEAD), ("---", *("---:" for _ in HEAD))]
    rows += [tuple(f"**{cell}**" for cell in row) if row[0] == OURS else row for row in lines(measured)]
    return "\n".join([f"### {title}", "", *(f"| {' | '.join(row)} |" for row in rows), ""])


def write(page: Path, marks: tuple[str, str], how: str, tables: Sequence[str]) -> None:
    """Replace the tables of a page: what stands between two comments."""
    before, begin, rest = page.read_text().partition(marks[0])
    _, end, after = rest.partition(marks[1])
    content = "\n".join(["", f"{machine()}. {how}.", "", *(f"{table.strip()}\n" for table in tables)])
    page.write_text(f"{before}{begin}\n{content}\n{end}{after}")


def machine() -> str:
    """Describe this machine and the date."""
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    kilobytes = int(re.findall(r"^MemTotal: +(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)[0])
    processor = names[0] if names else platform.machine()
    return (
        f"{datetime.now(UTC):%d %B %Y}: {os.cpu_count()} cores of {processor}, {kilobytes / 2**20:.0f} GiB of memory, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )
