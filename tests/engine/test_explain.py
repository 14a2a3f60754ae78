"""The explanation of an operation: what is generated for it, and what it reads."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def explain(schema: str, operation: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine", "explain", schema, "-", *more]
    return subprocess.run(command, cwd=ROOT, input=operation, capture_output=True, text=True, check=False)


def test_an_operation_is_explained() -> None:
    told = explain(
        "schema.build:graphql_schema",
        "query A($id: ID!, $more: Boolean!) { document(id: $id) { title createdBy @include(if: $more) { name } } }",
    )
    assert told.stderr == ""
    lines = told.stdout.splitlines()
    assert lines[0] == "query A: lambda run, values: [{'document': None} for value in values]"
    assert lines[1] == "  document: one call for each parent"
    assert lines[2].startswith(
        "    Document: lambda run, values: [{'title': v if type(v := value.title) is str else c0("
    )
    assert "      createdBy: one call with all parents" in lines
    assert "  Document: created_by, title" in lines


def test_a_schema_can_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"
    file.write_text("type Query { books: [Book!]! }  type Book { title: String! }")
    assert "    Book: lambda run" in explain(str(file), "{ books { title } }").stdout
    refused = explain(str(file), "{ magazines }")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "magazines" in refused.stderr
