"""ARCHITECTURE.md is true: its paths exist, its names stand in the files beside them, its table is what is imported."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()
OURS = {"marginalia", "engine", "schema", "resolvers", "services", "db"}
FRAMEWORKS = {"alembic", "graphql", "sqlalchemy", "starlette", "strawberry", "uvicorn"}
CODE = re.compile(r"`([^`\n]+)`")
NAMED = re.compile(r"`(\w+)`\**[^`(.]* \(`([\w/]+\.py)`\)")
"""A name of the code with the file that has it."""


def is_path(quoted: str) -> bool:
    return "/" in quoted and not set(quoted) & set(" {")


def imported(package: str) -> set[str]:
    """Return the packages whose modules a package of ours imports."""
    found = set()
    for module in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - {package}


@pytest.mark.parametrize("path", sorted({quoted for quoted in CODE.findall(PAGE) if is_path(quoted)}))
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("name", "file"), NAMED.findall(PAGE))
def test_every_name_stands_in_its_file(name: str, file: str) -> None:
    defined = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if hasattr(node, "name")}
    assert name in defined


def test_the_page_names_many_things_with_their_files() -> None:
    assert len(NAMED.findall(PAGE)) >= 12


def test_the_table_says_what_each_folder_imports() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")
    ]
    table = {row[0].strip("`/"): row[2:] for row in rows if len(row) == 4}
    assert table.keys() == OURS
    for package, (ours, frameworks) in table.items():
        names = imported(package)
        assert sorted(names & OURS) == [name for name in ours.split(", ") if name], package
        assert sorted(names & FRAMEWORKS) == [name for name in frameworks.split(", ") if name], package


def test_the_layers_stand_in_this_order_in_the_import_rules() -> None:
    (drawn,) = re.findall(r"^(marginalia → [\w → ]+?)  ", PAGE, re.MULTILINE)
    assert f"layers = {drawn.split(' → ')}".replace("'", '"') in (ROOT / "pyproject.toml").read_text()
