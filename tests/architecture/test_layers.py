"""The layers: a request goes down, never up."""

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("marginalia", "schema", "resolvers", "services", "db")


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


def test_nobody_commits() -> None:
    for package in OURS:
        for module in (ROOT / package).rglob("*.py"):
            calls = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Attribute)]
            assert not [call for call in calls if call.attr == "commit"], module
