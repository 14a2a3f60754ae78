"""What commands print, and nobody reads or nothing can hold: they do all their work, and say so at their end."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.edge.test_doctor_command import SAMPLE, execute
from tests.support.processes import COMMAND, ROOT, environment, run

Output = Callable[[], AbstractContextManager[int]]
LOST = "marginalia: Not all of the output could be written"
sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@contextmanager
def unread() -> Iterator[int]:
    """Give a pipe whose reader is gone, as that of `head` is."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@contextmanager
def full() -> Iterator[int]:
    """Give a disk that is full."""
    device = os.open("/dev/full", os.O_WRONLY)
    try:
        yield device
    finally:
        os.close(device)


def lost(ended: subprocess.CompletedProcess[str], code: int = os.EX_IOERR) -> None:
    """Insist that a command has said that its output was lost, once, and has no traceback."""
    assert ended.returncode == code, ended
    assert ended.stderr.count(LOST) == 1, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.md").write_text(f"# Document {number}\n")
    return [str(file) for file in sorted(folder.iterdir())]


def documents(url: str) -> int:
    (count,) = execute(url, "SELECT count(*) FROM documents")
    return int(count)


@sqlite
@pytest.mark.parametrize("output", [unread, full])
def test_all_files_are_imported_though_nobody_gets_their_ids(
    output: Output, database_url: str, files: list[str]
) -> None:
    with output() as writer:
        ended = run("import", *files, "--database", database_url, output=writer)

    lost(ended)
    assert documents(database_url) == 12


@sqlite
def test_all_files_are_imported_though_nobody_reads_the_complaints(database_url: str, files: list[str]) -> None:
    with unread() as writer:
        ended = run("import", "/missing", *files, "/gone", "--database", database_url, output=writer, errors=writer)

    assert ended.returncode == 1
    assert documents(database_url) == 12


@sqlite
def test_all_files_are_imported_by_a_process_without_an_output(database_url: str, files: list[str]) -> None:
    shell = ["sh", "-c", '"$@" >&-', "sh", *COMMAND, "import", *files, "--database", database_url]
    ended = subprocess.run(
        shell, env=environment(), cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )

    lost(ended)
    assert documents(database_url) == 12


def test_all_is_repaired_though_nobody_reads_what(database_url: str) -> None:
    assert run("import-legacy", SAMPLE, "--database", database_url).returncode == 0

    with unread() as writer:
        lost(run("doctor", "--repair", "--database", database_url, output=writer), code=1)
    with unread() as writer:
        # That it has found nothing was to be read, too.
        lost(run("doctor", "--database", database_url, output=writer))
    assert run("doctor", "--database", database_url).returncode == 0


@sqlite
@pytest.mark.parametrize(
    ("command", "output"), [("migrate", unread), ("import-legacy", full), ("schema", unread), ("--help", full)]
)
def test_every_command_says_that_its_output_was_lost(command: str, output: Output, database_url: str) -> None:
    args = {
        "migrate": ("migrate", "--database", database_url),
        "import-legacy": ("import-legacy", SAMPLE, "--database", database_url),
    }.get(command, (command,))
    with output() as writer:
        lost(run(*args, output=writer))
