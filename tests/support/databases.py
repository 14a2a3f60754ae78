"""Databases: a fresh one for a fixture that is parametrised with the name of an engine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import postgres


@contextmanager
def migrated(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Give the URL of a database with our schema and the local workspace in it."""
    if request.param == "sqlite":
        file = folder / "marginalia.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
    else:
        server, template = (request.getfixturevalue(name) for name in ("postgres_server", "postgres_template"))
        with postgres.database(server, template) as url:
            yield url


@contextmanager
def empty(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database of an engine, with nothing in it."""
    if engine == "sqlite":
        yield f"sqlite:///{folder / 'empty.db'}"
    else:
        with postgres.database(request.getfixturevalue("postgres_server")) as url:
            yield url
