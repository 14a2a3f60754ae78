"""What is written about the API is true of it: every operation in our texts is valid."""

import re
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

ROOT = Path(__file__).parents[2]
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
FENCE = re.compile(r"^```graphql\n(.*?)^```", re.MULTILINE | re.DOTALL)


def operations() -> dict[str, str]:
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    fenced = {
        f"{text.relative_to(ROOT)}:{number}": operation
        for text in texts
        for number, operation in enumerate(FENCE.findall(text.read_text()), 1)
    }
    files = {str(file.relative_to(ROOT)): file.read_text() for file in (ROOT / "explorer/src").rglob("*.graphql")}
    return {**fenced, **files}


@pytest.mark.parametrize("where", operations())
def test_every_operation_that_we_show_is_valid(where: str) -> None:
    assert validate(SCHEMA, parse(operations()[where])) == []


def test_the_texts_do_show_operations() -> None:
    assert any(where.startswith("README.md") for where in operations())
    assert sum(where.startswith("explorer") for where in operations()) >= 4
