"""The layers: a request goes down, never up."""

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("marginalia", "engine", "schema", "resolvers", "services", "db")


def test_the_import_rules_of_pyproject_hold() -> None:
    # In a process of its own: it sets logging up anew, and every logger that is there already would be silent.
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout


def test_no_installed_distribution_has_one_of_our_names() -> None:
    assert not set(packages_distributions()) & {*OURS, "tests", "benchmarks"}


@pytest.mark.parametrize("package", [*OURS, "benchmarks"])
def test_every_module_says_what_it_is_for(package: str) -> None:
    for module in (ROOT / package).rglob("*.py"):
        assert ast.get_docstring(ast.parse(module.read_text())), module


def attributes(module: Path) -> set[str]:
    """Return the names of the attributes that a module reads or writes."""
    return {node.attr for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Attribute)}


def test_nobody_commits() -> None:
    for package in OURS:
        for module in (ROOT / package).rglob("*.py"):
            assert "commit" not in attributes(module), module


def test_visibility_has_one_door() -> None:
    """One module decides whether a row may be seen; others act on what is hidden, or tell what it is."""
    allowed = {"reading/visibility.py", "roles.py", "trash.py", "purges.py", "models/content.py"}
    rooms = ("doctor/", "importers/", "migrations/")
    for module in (ROOT / "db").rglob("*.py"):
        name = module.relative_to(ROOT / "db").as_posix()
        if name not in allowed and not name.startswith(rooms):
            assert "deleted_at" not in attributes(module), module


def test_a_noun_has_one_name_in_every_layer() -> None:
    for noun in (
        "documents",
        "sections",
        "chats",
        "messages",
        "trash",
        "users",
        "nodes",
        "doctor",
        "api_keys",
        "share_links",
        "grants",
        "audit",
        "people",
    ):
        for package in ("schema", "resolvers", "services"):
            assert (ROOT / package / f"{noun}.py").is_file(), f"{package}/{noun}.py"
