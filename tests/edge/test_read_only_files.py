"""The doctor looks at an SQLite file where it cannot write anything, and leaves nothing there."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.processes import COMMAND, ROOT, environment

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FILE, FOLDER = 0o400, 0o500
WRITABLE = 0o700


def doctor(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the doctor as somebody for whom the rights of files hold."""
    command = [*COMMAND, "doctor", "--database", f"sqlite:///{file}", *options]
    if os.geteuid() == 0:
        if not (setpriv := shutil.which("setpriv")):
            pytest.skip("this is root, and there is no setpriv: nothing is read-only for us")
        command = [setpriv, "--bounding-set=-dac_override", "--inh-caps=-dac_override", *command]
    return subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def content(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


@pytest.fixture
def file(database_url: str, tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return Path(shutil.copy(database_url.removeprefix("sqlite:///"), folder / "read-only.db"))


@pytest.mark.parametrize(
    ("of_file", "of_folder"),
    [
        (FILE, FOLDER),
        *(pytest.param(*rights, marks=pytest.mark.thorough) for rights in ((FILE, WRITABLE), (0o600, FOLDER))),
    ],
)
def test_the_doctor_looks_at_what_is_read_only(file: Path, of_file: int, of_folder: int) -> None:
    file.chmod(of_file)
    file.parent.chmod(of_folder)
    before = content(file.parent)

    ended = doctor(file)

    assert (ended.returncode, ended.stdout) == (0, "Nothing found.\n"), ended.stderr
    assert content(file.parent) == before
    # What would have to be changed cannot be.
    if of_folder == FOLDER:
        assert doctor(file, "--repair").returncode == 2


def test_the_doctor_finds_what_is_wrong_there(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP INDEX chat_sessions_workspace_id_document_id_idx")
    file.chmod(FILE)
    file.parent.chmod(FOLDER)

    ended = doctor(file)

    assert ended.returncode == 1, ended.stderr
    assert "chat_sessions_workspace_id_document_id_idx" in ended.stdout


def test_the_doctor_sees_what_a_server_has_not_brought_into_the_file_yet(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("DROP INDEX chat_sessions_workspace_id_document_id_idx")
        file.chmod(FILE)
        file.parent.chmod(FOLDER)
        before = content(file.parent)
        ended = doctor(file)
        assert content(file.parent).keys() == before.keys()

    assert ended.returncode == 1, ended.stderr
    assert "chat_sessions_workspace_id_document_id_idx" in ended.stdout


def test_the_doctor_does_not_take_half_a_database_for_all_of_it(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("DROP INDEX chat_sessions_workspace_id_document_id_idx")
        copy = tmp_path / "copy"
        copy.mkdir()
        for each in (file, file.with_name(f"{file.name}-wal")):
            shutil.copy(each, copy)
    copy.chmod(FOLDER)

    ended = doctor(copy / file.name)

    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert f"{copy / file.name}-wal" in line
    assert "Copy" in line
