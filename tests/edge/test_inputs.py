"""What a person names as input, settings and files: read within bounds, and what is wrong with it is one line."""

import os
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from marginalia import files
from marginalia.files import UnreadableFile
from tests.support.processes import COMMAND, ROOT, environment, run

NAMES = [
    name.removeprefix("MARGINALIA_").lower()
    for name in (
        line.split("`")[1] for line in (ROOT / "docs/operating.md").read_text("utf-8").splitlines() if "| `MARG" in line
    )
]
"""Every setting there is: another test compares the table with the settings."""


def run_in(folder: Path, *args: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command of ours in a folder, where its `.env` is looked for."""
    return run(*args, env=environment(**settings) | {"PYTHONPATH": str(ROOT)}, cwd=folder)


def complaint(ended: subprocess.CompletedProcess[str], code: int) -> str:
    assert ended.returncode == code, ended
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    return line


COMMANDS = [("serve", "--port", "0"), ("migrate",), ("doctor",), ("import", "a.md"), ("import-legacy", "a.json")]


@pytest.mark.parametrize("args", COMMANDS, ids=lambda args: args[0])
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_an_env_file_that_is_no_utf_8_is_one_line(tmp_path: Path, args: tuple[str, ...], encoding: str) -> None:
    (tmp_path / ".env").write_bytes("MARGINALIA_POOL_SIZE=5 # é\n".encode(encoding))

    assert ".env is not UTF-8" in complaint(run_in(tmp_path, *args), 2)


def test_an_env_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfMARGINALIA_POOL_SIZE=many\n")

    assert "MARGINALIA_POOL_SIZE" in complaint(run_in(tmp_path, "migrate"), 2)


def test_the_environment_comes_before_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MARGINALIA_DATABASE_URL=sqlite:///file.db\nMARGINALIA_POOL_SIZE=\n")

    assert run_in(tmp_path, "migrate").returncode == 0
    assert (tmp_path / "file.db").exists()
    assert run_in(tmp_path, "migrate", database_url="sqlite:///environment.db").returncode == 0
    assert (tmp_path / "environment.db").exists()


def test_an_env_file_that_never_ends_is_not_read_for_ever(tmp_path: Path) -> None:
    os.truncate(os.open(tmp_path / ".env", os.O_CREAT | os.O_WRONLY), 5_000_000_000)

    assert ".env is larger than 1,000,000 bytes" in complaint(run_in(tmp_path, "migrate"), 2)


def test_a_setting_that_is_set_to_nothing_is_not_set(tmp_path: Path) -> None:
    ended = run_in(tmp_path, "migrate", **dict.fromkeys(NAMES, ""))

    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "var" / "marginalia.db").exists()
    assert "--database" in complaint(run_in(tmp_path, "migrate", "--database", ""), 2)


@pytest.mark.parametrize("junk", ["\x1b", "-1e999", "[" * 20_000, "é\udc80\n日", "{}"], ids=range(5))
def test_junk_in_every_setting_is_one_line(tmp_path: Path, junk: str) -> None:
    ended = run_in(tmp_path, "serve", "--port", "0", **dict.fromkeys(NAMES, junk))

    assert len(complaint(ended, 2)) < 20_000


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PIPE_TIMEOUT_S", 0.1)
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UnreadableFile, match="nothing came out of it"):
        files.read_bytes(tmp_path / "pipe", most=10)


def test_no_command_waits_for_ever_for_a_pipe(tmp_path: Path) -> None:
    def ended(args: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / args[0]
        folder.mkdir()
        os.mkfifo(folder / (".env" if args == ("migrate",) else "pipe"))
        return run_in(folder, *args, **({"trusted_documents": "pipe"} if args[0] == "serve" else {}))

    commands = [("import", "pipe"), ("import-legacy", "pipe"), ("serve", "--port", "0"), ("migrate",)]
    with ThreadPoolExecutor(len(commands)) as pool:  # each waits for seconds
        for args, each in zip(commands, pool.map(ended, commands), strict=True):
            assert each.returncode in (1, 2), args
            assert "is a pipe, and nothing came out of it" in each.stderr, args


def test_what_comes_out_of_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"\xef\xbb\xbf# One\n")
    os.close(writing)

    assert files.read_text(Path(f"/dev/fd/{reading}"), most=100) == "# One\n"
    os.close(reading)


def test_what_is_no_file_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 11)
    (tmp_path / "binary").write_bytes(b"\x7fELF\xff")
    for path, words in {
        tmp_path: "is a directory",
        Path("/dev/zero"): "neither a file nor a pipe",
        Path("/dev/null"): "neither a file nor a pipe",
        tmp_path / "missing": "No such file",
        tmp_path / "large" / "x": "Not a directory",
        tmp_path / ("x" * 300): "too long",
        tmp_path / "a\0b": "null byte",
        tmp_path / "large": "larger than 10 bytes",
        tmp_path / "binary": "not UTF-8",
    }.items():
        with pytest.raises(UnreadableFile, match=words):
            files.read_text(path, most=10)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "args", [("import", "README.md"), ("serve", "--port", "0", "--demo")], ids=lambda args: args[0]
)
def test_a_file_that_lost_its_indexes_is_one_line(database_url: str, args: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as file:
        columns = ", ".join(f'"{column[1]}" {column[2]}' for column in file.execute("PRAGMA table_info(documents)"))
        file.executescript(f"DROP TABLE documents; CREATE TABLE documents ({columns})")

    line = complaint(run_in(ROOT, *args, "--database", database_url), 1)

    assert line.startswith("marginalia: The database is damaged: ")
    assert "doctor" in line


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1"])
def test_the_schema_is_utf_8_whatever_the_locale(encoding: str) -> None:
    env = environment() | {"PYTHONIOENCODING": encoding}
    ended = subprocess.run([*COMMAND, "schema"], env=env, cwd=ROOT, capture_output=True, timeout=60, check=True)

    assert ended.stdout == (ROOT / "schema.graphql").read_bytes()


@pytest.mark.parametrize("columns", ["0", "many"])
def test_the_width_of_the_terminal_is_of_no_matter(tmp_path: Path, columns: str) -> None:
    env = environment() | {"COLUMNS": columns, "LINES": columns}
    for args in (("--help",), ("migrate", "--database", f"sqlite:///{tmp_path}/a.db")):
        ended = run(*args, env=env)
        assert (ended.returncode, ended.stderr) == (0, "")
