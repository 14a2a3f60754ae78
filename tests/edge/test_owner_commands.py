"""The commands with which the owner of a workspace manages keys, links, the audit and people."""

import asyncio
import json
import re
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from db.connection.database import Database
from db.models import Document
from marginalia.cli.commands import app
from tests.edge.test_command_line import complaint
from tests.support import factories
from tests.support.processes import run


def printed(ended: subprocess.CompletedProcess[str]) -> str:
    """Insist that a command succeeded, and return what it printed, without the last line break."""
    assert ended.returncode == 0, ended
    return ended.stdout.removesuffix("\n")


def made(database_url: str, *workspaces: str) -> list[Document]:
    """Make workspaces, beside `local`, and a document in each, and in `local`."""

    async def make() -> list[Document]:
        database = Database(database_url)
        for workspace in workspaces:
            await factories.workspace(database, workspace)
        documents = [
            await factories.document(database, workspace_id=workspace, title=f"Of {workspace}", created_by="ann")
            for workspace in ("local", *workspaces)
        ]
        await database.close()
        return documents

    return asyncio.run(make())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("keys", "create"), ("NAME", "--role", "--kind", "--days", "--workspace", "--database")),
        (("keys", "list"), ("--workspace",)),
        (("keys", "revoke"), ("ID", "--workspace")),
        (("links", "create"), ("DOC", "--role", "--days", "--workspace")),
        (("links", "list"), ("DOC", "--workspace")),
        (("links", "revoke"), ("ID", "--workspace")),
        (("audit",), ("--since", "--until", "--workspace")),
        (("person", "export"), ("USER", "--workspace")),
        (("person", "erase"), ("USER", "--yes", "--workspace")),
    ],
)
def test_every_command_has_help(command: tuple[str, ...], words: tuple[str, ...]) -> None:
    help_of_command = CliRunner().invoke(app, [*command, "--help"])
    assert help_of_command.exit_code == 0
    for word in words:
        assert word in help_of_command.stdout


def test_a_key_is_made_listed_and_revoked(database_url: str) -> None:
    made(database_url, "other")
    there = ("--database", database_url, "--workspace", "other")

    created = run("keys", "create", "My backend", "--role", "reader", "--days", "2", *there)
    secret = printed(created)
    assert re.fullmatch(r"mg_[A-Za-z0-9_-]{43}", secret)
    key_id = created.stderr.partition(":")[0]

    line = printed(run("keys", "list", *there))
    assert line.startswith(f"{key_id}  READER  SERVICE  expires 20")
    assert line.endswith("  never used  My backend")
    assert secret not in line
    assert printed(run("keys", "list", "--database", database_url)) == ""

    for _ in range(2):
        assert printed(run("keys", "revoke", key_id.removeprefix("key_"), *there)).startswith(f"{key_id}  revoked ")
    assert "  revoked " in printed(run("keys", "list", *there))
    assert complaint(run("keys", "revoke", key_id, "--database", database_url)) == "API key not found."


def test_a_link_is_made_listed_and_revoked(database_url: str) -> None:
    _, document = made(database_url, "other")
    there = ("--database", database_url, "--workspace", "other")

    created = run("links", "create", document.id.removeprefix("doc_"), "--role", "commenter", *there)
    assert re.fullmatch(r"mgl_[A-Za-z0-9_-]{43}", printed(created))
    link_id = created.stderr.partition(":")[0]

    assert printed(run("links", "list", document.id, *there)) == f"{link_id}  COMMENTER  never expires"
    assert complaint(run("links", "list", document.id, "--database", database_url)) == "Document not found."
    assert printed(run("links", "revoke", link_id, *there)).startswith(f"{link_id}  revoked ")
    assert complaint(run("links", "revoke", "nothing", *there)) == "Share link not found."
    assert "role" in complaint(run("links", "create", document.id, "--role", "editor", *there))


def test_the_audit_is_printed_as_json_lines(database_url: str) -> None:
    there = ("--database", database_url)
    for number in range(3):
        printed(run("keys", "create", f"Key {number}", *there))

    lines: list[dict[str, Any]] = [json.loads(line) for line in printed(run("audit", *there)).splitlines()]

    assert [line["action"] for line in lines] == ["CREATE_API_KEY"] * 3
    assert {(line["actor"], line["outcome"], line["requestId"]) for line in lines} == {("user_local", "DONE", None)}
    assert sorted(line["at"] for line in lines) == [line["at"] for line in lines]
    assert datetime.fromisoformat(lines[0]["at"]).tzinfo == UTC
    assert printed(run("audit", "--since", "2999-01-01", *there)) == ""
    assert printed(run("audit", "--until", "2999-01-01T00:00:00Z", *there)).count("\n") == 2
    assert "--since" in run("audit", "--since", "yesterday", *there).stderr


def test_a_person_is_exported_and_erased(database_url: str) -> None:
    made(database_url)
    there = ("--database", database_url)

    exported = json.loads(printed(run("person", "export", "user_ann", *there)))
    assert exported["user"]["id"] == "user_ann"
    assert [document["title"] for document in exported["documents"]] == ["Of local"]
    assert exported["messages"] == []

    assert "--yes" in complaint(run("person", "erase", "ann", *there), 2)
    receipt = json.loads(printed(run("person", "erase", "ann", "--yes", *there)))
    assert receipt["user"].startswith("user_erased_")
    assert (receipt["documentCount"], receipt["messageCount"]) == (1, 0)
    last = json.loads(printed(run("audit", *there)).splitlines()[-1])
    assert (last["action"], last["subjectId"]) == ("ERASE_USER", receipt["user"])
    assert json.loads(printed(run("person", "export", "ann", *there)))["documents"] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_workspace_or_a_choice_that_does_not_exist_is_named(database_url: str) -> None:
    there = ("--database", database_url)
    assert "nowhere" in complaint(run("keys", "list", "--workspace", "nowhere", *there))
    assert "READER, COMMENTER" in complaint(run("keys", "create", "A", "--role", "king", *there), 2)
    assert "SERVICE or ASSISTANT" in complaint(run("keys", "create", "A", "--kind", "guest", *there))
    assert "name" in complaint(run("keys", "create", " ", *there))
