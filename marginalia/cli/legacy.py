"""The command line of the legacy import: prints what was imported, what was left out, and what is wrong with a file."""

from pathlib import Path

from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.store import Store
from marginalia import files
from marginalia.authentication.local import LOCAL_OWNER
from marginalia.files import UnreadableFile
from marginalia.terminal import write_line
from services import legacy, legacy_import
from services.legacy import BadFile, LegacyFile
from services.legacy_import import KINDS, Imported

LARGEST_FILE = 1_000_000_000
"""The maximum size of a file, in bytes. Reading it takes several times as much memory."""

MOST_PROBLEMS = 20
"""The maximum number of problems that are printed for a file."""


def read(path: Path) -> LegacyFile | None:
    """Read a file. None: it has problems, which are printed on standard error."""
    try:
        return legacy.read(files.read_bytes(path, most=LARGEST_FILE))
    except UnreadableFile as error:
        _report_problems(path, [str(error)])
    except BadFile as error:
        _report_problems(path, error.problems)
    return None


async def take_in(database: Database, path: Path, file: LegacyFile) -> bool:
    """Import a file and print the result, or its problems.

    Returns whether it was imported. Raises `DatabaseUnavailable`.
    """
    try:
        imported = await legacy_import.import_file(Store(database, LOCAL_OWNER), file)
    except BadFile as error:
        _report_problems(path, error.problems)
        return False
    if any(imported.new.values()):
        try:
            # PostgreSQL's autovacuum would do so in a minute, or never. Until then plans use outdated statistics.
            await database.analyze()
        except DatabaseUnavailable:
            _warn("the tables could not be analyzed; run ANALYZE, or reads may be slow for a while")
    for field, count in sorted(file.unknown.items()):
        _warn(f"{field} is not known and was left out, {_times(count)}")
    if imported.placements_left:
        left = _times(imported.placements_left)
        _warn(f"an existing section is not in a document that lists it, and was not added to it, {left}")
    if imported.client_ids_dropped:
        _warn(f"a client id existed already in the same chat and was left out, {_times(imported.client_ids_dropped)}")
    if imported.documents_forgotten:
        _warn(f"a chat was opened through a document that does not exist, {_times(imported.documents_forgotten)}")
    _summarize(imported)
    return True


def _summarize(imported: Imported) -> None:
    for kind in KINDS:
        write_line(f"{kind}: {imported.new[kind]:,} new, {imported.skipped[kind]:,} skipped, because they exist")
    write_line(f"merged chats: {imported.merged_chats:,}")
    write_line(f"wrong pointers left unchanged: {imported.pointers_left:,}")
    if imported.pointers_left:
        write_line("An ensure repairs each of them. To repair all at once, run: python -m marginalia doctor --repair")


def _report_problems(path: Path, problems: list[str] | tuple[str, ...]) -> None:
    for problem in problems[:MOST_PROBLEMS]:
        write_line(f"{path}: {problem}", error=True)
    if (more := len(problems) - MOST_PROBLEMS) > 0:
        write_line(f"{path}: and {more:,} more", error=True)
    write_line("Nothing was imported.", error=True)


def _warn(line: str) -> None:
    write_line(f"warning: {line}", error=True)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
