"""`doctor` and `import-legacy` at the command line: what they print, how they end, and that looking changes nothing."""

import asyncio
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.connection.database import Database
from tests.support.processes import ROOT, run

SAMPLE = str(ROOT / "docs" / "legacy-sample.json")
CLOSED = "postgresql://127.0.0.1:1/nothing"
sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def doctor(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return run("doctor", *options, "--database", url)


def execute(url: str, *statements: str) -> list[Any]:
    """Run statements from outside the event loop, and return the values of the last."""

    async def work() -> list[Any]:
        database = Database(url)
        async with database.begin() as session:
            for statement in statements:
                result = await session.execute(text(statement))
            values = list(result.scalars()) if result.returns_rows else []  # type: ignore[attr-defined] # of a cursor
        await database.close()
        return values

    return asyncio.run(work())


def test_an_import_is_healed_by_the_doctor(database_url: str) -> None:
    imported = run("import-legacy", SAMPLE, "--database", database_url, fresh=True)
    assert imported.returncode == 0
    assert imported.stderr == "warning: sections[].colour is not known and was left out, once\n"
    assert imported.stdout.splitlines()[:6] == [
        "documents: 2 new, 0 skipped, because they exist",
        "sections: 3 new, 0 skipped, because they exist",
        "placements: 4 new, 0 skipped, because they exist",
        "chats: 2 new, 0 skipped, because they exist",
        "messages: 5 new, 0 skipped, because they exist",
        "merged chats: 1",
    ]
    pointers = "SELECT chat_session_id FROM sections ORDER BY id"
    as_they_were = ["chat_c-1", "chat_c-lost", "chat_c-1"]
    assert execute(database_url, pointers) == as_they_were

    looked = doctor(database_url)
    assert looked.returncode == 1
    assert looked.stdout.splitlines() == [
        "NO_WRONG_CHAT_POINTER  Section sec_42 points to chat_c-1, which is not its chat [workspace local]",
        "    --repair would: point it to its chat, or to none if it has none.",
        "NO_WRONG_CHAT_POINTER  Section sec_rules points to chat_c-lost, which is not its chat [workspace local]",
        "    --repair would: point it to its chat, or to none if it has none.",
        "2 found (NO_WRONG_CHAT_POINTER: 2), 0 repaired, 2 left.",
    ]
    assert [line.split(maxsplit=1)[0] for line in looked.stderr.splitlines()] == [
        *(
            "ONE_CHAT_PER_SECTION",
            "NO_DANGLING_REFERENCE",
            "NO_DANGLING_REFERENCE",
            "NO_DANGLING_REFERENCE",
            "NO_DANGLING_REFERENCE",
            "NO_DANGLING_REFERENCE",
            "NO_DANGLING_REFERENCE",
            "ONE_WORKSPACE",
            "NO_WRONG_CHAT_POINTER",
            "NO_MISSING_CHAT_POINTER",
            "MESSAGES_NUMBERED",
            "MESSAGES_NUMBERED",
            "MESSAGES_NUMBERED",
            "POSITIONS_DISTINCT",
            "DATABASE_SOUND",
            "DATABASE_SOUND",
            "DATABASE_SOUND",
            "DATABASE_SOUND",
        )
    ]
    assert execute(database_url, pointers) == as_they_were

    repaired = doctor(database_url, "--repair", "--json")
    assert repaired.returncode == 1
    first, _, last = map(json.loads, repaired.stdout.splitlines())
    assert first == {
        "rule": "NO_WRONG_CHAT_POINTER",
        "workspace": "local",
        "message": "Section sec_42 points to chat_c-1, which is not its chat",
        "ids": ["sec_42", "chat_c-1"],
        "repair": "point it to its chat, or to none if it has none",
        "repaired": True,
        "hindrance": None,
    }
    assert last == {"summary": {"findings": 2, "repaired": 2, "left": 0, "by_rule": {"NO_WRONG_CHAT_POINTER": 2}}}
    assert execute(database_url, pointers) == [None, "chat_c-2", "chat_c-1"]

    clean = doctor(database_url, "--repair")
    assert (clean.returncode, clean.stdout) == (0, "Nothing found.\n")
    assert execute(database_url, "SELECT count(*) FROM messages") == [5]


@sqlite
def test_a_database_that_cannot_be_looked_at_is_told_apart_from_one_that_is_broken(
    database_url: str, tmp_path: Path
) -> None:
    noise = tmp_path / "noise"
    noise.write_text("This is a text and no database. " * 20)
    empty = tmp_path / "empty"
    empty.touch()
    missing = tmp_path / "folder" / "missing"
    execute(database_url, "UPDATE alembic_version SET version_num = '0001'")
    for url, words in {
        CLOSED: "cannot be reached",
        "mysql://localhost/x": "mysql",
        f"sqlite:///{noise}": "not a database",
        f"sqlite:///{empty}": "schema none",
        f"sqlite:///{missing}": "does not exist",
        database_url: "schema 0001",
    }.items():
        ended = doctor(url)
        assert (ended.returncode, ended.stdout) == (2, ""), url
        assert words in ended.stderr, url
    assert not missing.parent.exists()
    assert empty.stat().st_size == 0
    assert execute(database_url, "SELECT version_num FROM alembic_version") == ["0001"]
    assert run("doctor", "--mend").returncode == 2


@sqlite
def test_looking_changes_no_byte_of_the_file(database_url: str) -> None:
    run("import-legacy", SAMPLE, "--database", database_url)
    file = Path(database_url.removeprefix("sqlite:///"))
    before = hashlib.sha256(file.read_bytes()).digest()
    assert doctor(database_url).returncode == 1
    assert hashlib.sha256(file.read_bytes()).digest() == before


@sqlite
def test_a_file_that_is_damaged_is_told_about_and_the_rest_of_it_looked_at(database_url: str) -> None:
    run("import-legacy", SAMPLE, "--database", database_url)
    (page,) = execute(
        database_url,
        "SELECT rootpage FROM sqlite_master WHERE name = 'messages'",
    )
    (size,) = execute(database_url, "PRAGMA page_size")
    with open(database_url.removeprefix("sqlite:///"), "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    ended = doctor(database_url, "--repair", "--json")
    assert ended.returncode == 1
    findings = [json.loads(line) for line in ended.stdout.splitlines()][:-1]
    assert {finding["rule"] for finding in findings} == {"NO_WRONG_CHAT_POINTER", "DATABASE_SOUND"}
    assert any("malformed" in finding["message"] for finding in findings)
    assert "Traceback" not in ended.stderr


@sqlite
def test_what_ids_hold_does_not_reach_the_terminal(database_url: str) -> None:
    execute(
        database_url,
        "INSERT INTO sections (workspace_id, id, chat_session_id, created_by)"
        " VALUES ('local', 'sec_' || char(27) || '[2J', 'chat_' || char(10), 'ann')",
    )
    ended = doctor(database_url)
    assert "Section sec_\\x1b[2J points to chat_\\n, which" in ended.stdout


@sqlite
def test_a_bad_file_is_told_with_its_places_and_nothing_is_imported(database_url: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"sections": [{"id": "a"}, *({"id": "", "level": 9} for _ in range(50))]}))
    ended = run("import-legacy", str(bad), "--database", database_url)
    assert (ended.returncode, ended.stdout) == (1, "")
    lines = ended.stderr.splitlines()
    assert lines[0] == f"{bad}: sections[1].id: is empty"
    assert lines[-2:] == [f"{bad}: and 80 more", "Nothing was imported."]
    assert len(lines) == 22
    missing = run("import-legacy", str(tmp_path / "missing.json"), "--database", database_url)
    assert (missing.returncode, missing.stderr.splitlines()[0]) == (
        1,
        f"{tmp_path / 'missing.json'}: cannot be read: No such file or directory",
    )
    unknown = tmp_path / "unknown.json"
    unknown.write_text(json.dumps({"sections": [{"id": "a"}], "chat_sessions": [], "messages": [_LOST]}))
    lost = run("import-legacy", str(unknown), "--database", database_url)
    assert (lost.returncode, lost.stdout) == (1, "")
    assert lost.stderr.splitlines()[0] == f"{unknown}: messages[0].chat_session_id: there is no chat chat_gone"
    assert execute(database_url, "SELECT count(*) FROM sections") == [0]


_LOST = {"id": "m", "chat_session_id": "gone", "content": "Lost", "created_at": "2024-01-01T00:00:00"}
