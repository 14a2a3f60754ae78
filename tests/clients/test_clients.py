"""The clients that people use, against a server in a process of its own; and the lint of our schema."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.processes import ROOT, environment, running_server

FOLDER = ROOT / "tests/clients"
LOCK = FOLDER / "package-lock.json"
SCRIPTS = sorted(file.name for file in FOLDER.glob("*.test.mjs"))
SUBSCRIBERS = [script for script in SCRIPTS if not script.startswith(("audits", "relay"))]

RAN = re.compile(r"\bpass [1-9]")
"""What Node says when at least one test ran: a filter that finds none is no failure to it."""


@pytest.fixture(scope="session")
def packages() -> None:
    """Install what the lock file names, unless it is there."""
    if not (shutil.which("node") and shutil.which("npm")):
        reason = "No Node.js with npm here: install them, version 20.19 or newer."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    installed = FOLDER / "node_modules/.installed"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if installed.is_file() and installed.read_text() == wanted:
        return
    ran = command("npm", "ci", "--ignore-scripts", seconds=300)
    assert ran.returncode == 0, shown(ran)
    installed.write_text(wanted)


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('clients') / 'marginalia.db'}"


@pytest.fixture(scope="module")
def address(packages: None, database_url: str) -> Iterator[str]:
    with running_server(database_url) as server:
        yield server


@pytest.fixture(scope="module")
def other_address(address: str, database_url: str) -> Iterator[str]:
    """Serve the same database a second time; the first server has migrated it by now."""
    with running_server(database_url) as server:
        yield server


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_client_can_do_all_it_offers(script: str, address: str, other_address: str) -> None:
    """Shows: a subscription hears of what another server of the same database did."""
    passes(script, address=address, other_address=other_address)


@pytest.mark.thorough
@pytest.mark.parametrize("script", SUBSCRIBERS)
def test_a_subscription_hears_of_what_its_own_server_did(script: str, address: str) -> None:
    passes("--test-name-pattern=subscription$", script, address=address)


@pytest.mark.usefixtures("packages")
def test_the_schema_is_lint_clean() -> None:
    ran = command("npm", "run", "lint")
    assert ran.returncode == 0, shown(ran)


@pytest.mark.usefixtures("packages")
def test_the_lint_finds_what_is_amiss(tmp_path: Path) -> None:
    """Take one description away from a copy: the lint is not clean because it looks at nothing."""
    sdl = (ROOT / "schema.graphql").read_text()
    (tmp_path / "schema.graphql").write_text(sdl.replace('"""The root of all queries."""\n', ""))
    config, eslint = FOLDER / "eslint.config.mjs", FOLDER / "node_modules/.bin/eslint"
    ran = command(str(eslint), "--config", str(config), "schema.graphql", folder=tmp_path)
    assert ran.returncode == 1, shown(ran)
    assert "@graphql-eslint/require-description" in ran.stdout


def test_the_lock_has_hashes_and_no_address() -> None:
    packages = [package for path, package in json.loads(LOCK.read_text())["packages"].items() if path]
    assert all("integrity" in package and "resolved" not in package for package in packages)


def passes(*line: str, **addresses: str) -> None:
    """Run Node's tests; a script that does not end by itself is ended, and has failed."""
    ran = command("node", "--test", "--test-reporter=spec", "--test-timeout=90000", *line, env=environment(**addresses))
    assert ran.returncode == 0, shown(ran)
    assert RAN.search(ran.stdout), shown(ran)


def command(
    *line: str, folder: Path = FOLDER, env: Mapping[str, str] | None = None, seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        line,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def shown(ran: subprocess.CompletedProcess[str]) -> str:
    """Show what a command printed."""
    return f"{ran.args} ended with {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
