"""Health: the liveness probe and the readiness probe."""

import asyncio
from typing import Any, TypeVar

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from db import workspaces
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.migrations import upgrade
from marginalia.authentication.local import LOCAL_OWNER
from marginalia.startup import UNREACHABLE, UNUSABLE, Preparation

PROBE_TIMEOUT_S = 2.0
"""The timeout of a readiness probe: orchestrators wait for a shorter time than clients do."""

READ_ONLY = "The database accepts no writes; reads are served."

T = TypeVar("T")

_log = structlog.stdlib.get_logger("marginalia.health")


async def livez(_request: Request) -> Response:
    """Answer 200: the process is alive."""
    return PlainTextResponse("ok\n")


class Readiness:
    """The readiness endpoint: checks that the database can be read and written.

    Concurrent probes share one check of the database, and none waits for longer than `PROBE_TIMEOUT_S`.
    """

    def __init__(self, database: Database, preparation: Preparation, ending: asyncio.Event) -> None:
        """Probe a database and its preparation. `ending` is set when the server is told to stop."""
        self._database, self._preparation, self._ending = database, preparation, ending
        self._looking: asyncio.Task[Response] | None = None
        self._writing: asyncio.Task[bool] | None = None
        self._passed: int | None = None
        """The number of refused transactions at the last successful write. None: no write has succeeded yet."""
        self._is_unusable = False

    async def answer(self, _request: Request) -> Response:
        """Answer 200, or 503 with the reason."""
        if self._ending.is_set():
            return _not_ready("The server is shutting down.")
        looking = self._looking = _going_on(self._looking) or asyncio.create_task(self._look())
        await asyncio.wait([looking], timeout=PROBE_TIMEOUT_S)
        if looking.done() and not looking.cancelled():
            return looking.result()
        # The check timed out. Cancelled, it ends when its connection is closed.
        if self._looking is looking and looking.cancel():
            self._looking = None
            self._database.invalidate_connections()
        return _not_ready(UNREACHABLE)

    async def _look(self) -> Response:
        try:
            version = await self._database.version()
            found = await upgrade.read(self._database)
            state = {"engine": self._database.dialect, "version": version, "schema": found.present}
            if not found.is_compatible:
                return _not_ready(found.mismatch, database=state)
            if self._preparation.missing is not None:
                return _not_ready(self._preparation.missing, database=state)
            if not await self._takes_writes():
                return _not_ready(READ_ONLY, database=state)
        except DatabaseUnavailable:
            return _not_ready(UNREACHABLE)
        except Exception:
            # Any error means "not ready". Only the first one is logged.
            if not self._is_unusable:
                _log.exception("not ready")
            self._is_unusable = True
            return _not_ready(UNUSABLE)
        self._is_unusable = False
        return _Json({"ready": True, "database": state})

    async def _takes_writes(self) -> bool:
        """Whether a write succeeds. It is retried only after a transaction was refused, so that probes are cheap."""
        if self._passed == self._database.refusals:
            return True
        writing = self._writing = _going_on(self._writing) or asyncio.create_task(self._write())
        await asyncio.wait([writing], timeout=PROBE_TIMEOUT_S / 2)
        return writing.done() and writing.result()

    async def _write(self) -> bool:
        refusals = self._database.refusals
        try:
            await workspaces.probe_write(self._database, LOCAL_OWNER.workspace_id)
        except DatabaseUnavailable:
            return False
        self._passed = refusals
        return True


class _Json(JSONResponse):
    """JSON with a final newline, for terminals."""

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return super().render(content) + b"\n"


def _going_on(task: asyncio.Task[T] | None) -> asyncio.Task[T] | None:
    return None if task is None or task.done() else task


def _not_ready(reason: str, **more: object) -> Response:
    return _Json({"ready": False, "reason": reason, **more}, 503)
