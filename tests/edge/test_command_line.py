"""The command line, as people and scripts use it: real processes, what they print, and how they end."""

import asyncio
import os
import re
import socket
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from db.connection.database import BadDatabaseUrl, Database, parse_url
from db.connection.errors import DatabaseUnavailable
from marginalia.cli.commands import app
from marginalia.server import CannotListen, check_host
from tests.support import databases
from tests.support.processes import COMMAND, ROOT, environment, run, running, running_server

Runs = Mapping[str, tuple[str, ...]]
CLOSED = "postgresql://127.0.0.1:1/nothing"


@pytest.fixture
def empty_database_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database with nothing in it, of the same engine as the one of the test."""
    with databases.empty(request, database_url.partition(":")[0], tmp_path) as url:
        yield url


def run_all(commands: Runs, env: Mapping[str, str] | None = None) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run commands, two at a time, and return how each ended."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(commands, pool.map(lambda args: run(*args, env=env), commands.values()), strict=True))


def complaint(ended: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """Insist that a command failed with an exit code and one line for people, and return the line."""
    assert ended.returncode == code, ended
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("marginalia: ")
    return line.removeprefix("marginalia: ")


def test_every_command_has_help() -> None:
    ended = run("--help", fresh=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    options = {
        "serve": ("--host", "--port", "--database", "--workers", "--demo", "--reload"),
        "import": ("FILE...", "--database"),
        "migrate": ("--database",),
        "schema": ("schema.graphql",),
        "doctor": ("--repair", "--json", "--database"),
        "import-legacy": ("FILE", "--database"),
        "secret": ("FILE",),
        "token": ("--user", "--name", "--role", "--workspace", "--expires", "--avatar", "--document"),
        "workspace": ("create", "list"),
    }
    for command, words in options.items():
        assert command in ended.stdout
        # In this process: help is all the same, and a process takes a second to start.
        help_of_command = CliRunner().invoke(app, [command, "--help"])
        assert help_of_command.exit_code == 0
        for word in words:
            assert word in help_of_command.stdout, (command, word)


def test_what_is_no_address_of_this_machine_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/marginalia.db"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_all(
            {
                "others": ("serve", "--host", "0.0.0.0", "--port", "0", "--database", url),  # noqa: S104 - it is refused
                "taken": ("serve", "--port", port, "--database", url),
            }
        )

    assert "0.0.0.0" in complaint(ended["others"])  # noqa: S104 - it was refused
    assert f"port {port}" in complaint(ended["taken"])
    assert not list(tmp_path.iterdir()), "nothing was made"


@pytest.mark.parametrize("host", ["", "0", "::", "example.com", "127.0.0.2", "192.168.0.1", "LOCALHOST"])
def test_only_three_names_are_of_this_machine(host: str) -> None:
    with pytest.raises(CannotListen, match=r"localhost.*MARGINALIA_AUTH=tokens"):
        check_host(host, "local")
    check_host(host, "tokens")


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("This is a text and no database. " * 20)
    foreign = tmp_path / "foreign"
    with closing(sqlite3.connect(foreign)) as file:
        file.execute("CREATE TABLE documents (a)")
    expected = {
        "mysql://localhost/x": "mysql",
        "sqlite:///:memory:": "must be a file",
        f"sqlite:///{text}": "not a database",
        f"sqlite:///{tmp_path}": "is a folder",
        "sqlite:////proc/marginalia/marginalia.db": "/proc/marginalia",
        f"sqlite:///{foreign}": "documents already exists",
        f"{CLOSED}?sslmode=verify-full": "cannot be reached",
    }

    ended = run_all({url: ("serve", "--port", "0", "--database", url) for url in expected})

    for url, words in expected.items():
        assert words in complaint(ended[url]), url


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "URL"),
        ("nonsense", "URL"),
        ("oracle://localhost/x", "oracle"),
        ("sqlite+pysqlite:///x", "sqlite+pysqlite"),
        ("sqlite://", "file"),
        ("sqlite:///", "file"),
        ("sqlite:///x?mode=ro", "mode"),
        ("sqlite:////x/a?b.db", "%3F"),
        ("sqlite:///a?", "%3F"),
        ("sqlite:///a%00b", "NUL"),
        ("sqlite:///a\0b", "NUL"),
        ("sqlite:///%FF.db", "UTF-8"),
        ("sqlite://var/marginalia.db", "sqlite:///path"),
        ("postgresql://", "name"),
        ("postgresql://user@localhost", "name"),
        ("postgresql://user@localhost/", "name"),
        ("postgres://localhost?sslmode=disable", "name"),
        ("postgresql://localhost/a%00b", "NUL"),
        ("postgresql://localhost:port/x", "port"),
        ("postgresql://localhost:99999/x", "port"),
        ("postgresql://localhost:0/x", "port"),
        ("postgresql://localhost/x?port=99999", "port"),
        ("postgresql://localhost/x?port=many", "port"),
        ("postgresql://a%00b@localhost/x", "NUL"),
        ("postgresql://localhost/x?timeout=5", "timeout"),
        ("postgresql://localhost/x?sslmode=perhaps", "sslmode"),
    ],
)
def test_a_url_that_names_no_database_of_ours_is_told_apart(url: str, word: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=re.escape(word)):
        parse_url(url)


@pytest.mark.parametrize(
    "url", ["sqlite:////proc", f"{CLOSED}?sslmode=verify-full"], ids=["a folder", "no certificate"]
)
def test_what_cannot_be_opened_is_out_of_reach(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    async def fail_to_open() -> None:
        database = Database(url)
        with pytest.raises(DatabaseUnavailable):
            await database.version()
        await database.close()

    for _ in range(20):
        # The end of the loop must not come too early for a thread that has still to tell it something.
        asyncio.run(fail_to_open())


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/marginalia.db"

    ended = run("serve", "--port", "0", env=environment(database_url=url, pool_size="many", log_level="loud"))

    assert "MARGINALIA_POOL_SIZE" in complaint(ended, 2)
    assert "MARGINALIA_LOG_LEVEL" in complaint(ended, 2)


@pytest.mark.parametrize(
    ("given", "words"), [('["*"]', "'*' is not an origin"), ('["https://editor.example"', "not a JSON list")]
)
def test_bad_origins_are_named(tmp_path: Path, given: str, words: str) -> None:
    url = f"sqlite:///{tmp_path}/marginalia.db"

    ended = run("serve", "--port", "0", env=environment(database_url=url, allowed_origins=given))

    assert "allowed_origins" in complaint(ended, 2).lower()
    assert words in complaint(ended, 2)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_schema_from_the_future_is_refused(database_url: str) -> None:
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999', compatible_from = '9999'")
        file.commit()

    ended = run_all(
        {
            "serve": ("serve", "--port", "0", "--database", database_url),
            "migrate": ("migrate", "--database", database_url),
        }
    )

    for command in ended.values():
        assert "schema 9999" in complaint(command)
        assert "newer version" in complaint(command)


def test_migrate_makes_a_database_that_can_be_served(empty_database_url: str) -> None:
    if empty_database_url.startswith("postgresql"):
        refused = complaint(run("serve", "--port", "0", "--database", empty_database_url))
        assert refused.endswith("Run: python -m marginalia migrate")

    first = run("migrate", "--database", empty_database_url, fresh=True)
    second = run("migrate", "--database", empty_database_url)

    assert (first.returncode, first.stdout, first.stderr) == (0, "The schema went from none to 0007.\n", "")
    assert (second.returncode, second.stdout, second.stderr) == (0, "The schema is up to date.\n", "")
    if empty_database_url.startswith("postgresql"):
        serve = [*COMMAND, "serve", "--port", "0", "--database", empty_database_url]
        with running(serve, environment(), fresh=True) as server:
            assert httpx.get(f"{server.address}/readyz").json()["database"]["schema"] == "0007"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_files_are_imported_and_those_that_cannot_be_are_named(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "one.md").write_text("# The first\n\nText.\n")
    (tmp_path / "two.md").write_text("# The second\n")
    (tmp_path / "latin.md").write_bytes("# Übung\n".encode("latin-1"))
    (tmp_path / "nul.md").write_bytes(b"# A\0B\n")
    (tmp_path / "folder.md").mkdir()
    bad = ["latin.md", "nul.md", "folder.md", "missing.md"]
    files = [str(tmp_path / name) for name in ("one.md", *bad, "two.md")]

    ended = run("import", *files, "--database", database_url, fresh=True)

    assert ended.returncode == 1
    ids = ended.stdout.splitlines()
    assert len(ids) == 2
    complaints = ended.stderr.splitlines()
    assert [line.split(":")[0] for line in complaints] == [str(tmp_path / name) for name in bad]
    with running_server(database_url) as address:
        query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Document { title } } }"
        found = httpx.post(f"{address}/graphql", json={"query": query, "variables": {"ids": ids}}).json()
    assert found == {"data": {"nodes": [{"title": "The first"}, {"title": "The second"}]}}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_files_that_can_all_be_imported_are_no_failure(database_url: str) -> None:
    ended = run("import", "README.md", "docs/guide.md", env=environment(database_url=database_url))

    assert ended.returncode == 0
    assert ended.stderr == ""
    assert [line[:4] for line in ended.stdout.splitlines()] == ["doc_", "doc_"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_without_a_title_gives_the_document_its_name(database_url: str, tmp_path: Path) -> None:
    texts = {"One two.md": "Text.\n", os.fsdecode(b"\xff.md"): "", "b.md": "---\ntitle: A\n---\n", "c.md": "# C\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)

    ended = run("import", *(str(tmp_path / name) for name in texts), "--database", database_url)

    assert (ended.returncode, ended.stderr) == (0, "")
    with running_server(database_url) as address:
        query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Document { title } } }"
        body = {"query": query, "variables": {"ids": ended.stdout.splitlines()}}
        found = httpx.post(f"{address}/graphql", json=body).json()
    assert [node["title"] for node in found["data"]["nodes"]] == ["One two", "\ufffd", "A", "C"]


def test_the_schema_is_printed_as_it_is_committed() -> None:
    ended = run("schema", fresh=True)

    assert ended.returncode == 0
    assert ended.stdout == (ROOT / "schema.graphql").read_text()
