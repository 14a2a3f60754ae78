"""Fixtures of the edge: the log, as a server writes it."""

import json
import logging
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from engine.operation_cache import OperationCache
from engine.prepared_operation import PreparedOperation
from marginalia.observability import log_config
from tests.edge.fields import World, make_world
from tests.support.client import Client


class Log:
    """What was logged since the test began, as JSON lines, at every level there is."""

    def __init__(self, stream: StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        """All of it, as it was written."""
        return self._stream.getvalue()

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its lines."""
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, *events: str) -> list[dict[str, Any]]:
        """Its lines about these events."""
        return [record for record in self.records if record["event"] in events]

    def complaints(self) -> list[dict[str, Any]]:
        """Its lines that somebody has to look at."""
        return [
            record
            for record in self.records
            if record["level"] in ("warning", "error", "critical") or "exception" in record
        ]


@pytest.fixture
def log() -> Iterator[Log]:
    """Log as a server does, and hand the log to the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = StringIO()
    log_config.configure("debug", stream)
    yield Log(stream)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def slowly_read(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let it take longer to find what a text means, and say by how many seconds."""
    find, seconds = OperationCache.find, 0.05

    def slowly(self: OperationCache, text: str, name: str | None = None) -> PreparedOperation:
        time.sleep(seconds)
        return find(self, text, name)

    monkeypatch.setattr(OperationCache, "find", slowly)
    return seconds


@pytest.fixture
async def world(client: Client) -> World:
    """Make a document with a section, its chat and a message."""
    return await make_world(client)
