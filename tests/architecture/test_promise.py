"""The promise: what clients were told once is not taken back by accident."""

from pathlib import Path

import pytest
from graphql import build_schema, find_breaking_changes

ROOT = Path(__file__).parents[2]
PROMISED = ROOT / "schema.promised.graphql"


def test_nothing_that_was_promised_to_clients_is_broken() -> None:
    promised, ours = (build_schema(file.read_text()) for file in (PROMISED, ROOT / "schema.graphql"))
    broken = [change.description for change in find_breaking_changes(promised, ours)]
    assert not broken, "Deprecate first; if it has to be, `make promise` and say so in CHANGELOG.md"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("  messageCount: Int!\n", "  count: Int!\n"),
        ("  sectionChatOpened(", "  chatOpened("),
        ("  ensureSectionChat(", "  ensureChat("),
        ("  document(", "  paper("),
    ],
)
def test_a_change_that_breaks_clients_is_seen(was: str, becomes: str) -> None:
    promised = PROMISED.read_text()
    lost = promised.replace(was, becomes)
    assert lost != promised
    assert find_breaking_changes(build_schema(promised), build_schema(lost))
