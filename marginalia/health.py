"""Health: whether the process lives, and whether it can do its work."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from db import revisions
from db.database import Database
from db.faults import Unavailable
from marginalia.startup import UNREACHABLE, UNUSABLE, Preparation

PATIENCE = 2.0
"""How many seconds the database may take to say that it is there: who asks will not wait as long as a caller would."""

_log = structlog.stdlib.get_logger("marginalia.health")


async def livez(_request: Request) -> Response:
    """Answer: the process lives."""
    return PlainTextResponse("ok\n")


def readyz(database: Database, preparation: Preparation) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint that tells whether requests can be served now."""

    async def answer(_request: Request) -> Response:
        try:
            async with asyncio.timeout(PATIENCE):
                version = await database.version()
                found = await revisions.read(database)
        except (Unavailable, TimeoutError):
            return _not_ready(UNREACHABLE)
        except Exception:
            # Whatever it is, the answer to the question is no.
            _log.exception("not ready")
            return _not_ready(UNUSABLE)
        state = {"engine": database.dialect, "version": version, "schema": found.present}
        if not found.agree:
            return _not_ready(f"The database does not have schema {found.needed}.", database=state)
        if preparation.missing is not None:
            return _not_ready(preparation.missing, database=state)
        return JSONResponse({"ready": True, "database": state})

    return answer


def _not_ready(reason: str, **more: object) -> Response:
    return JSONResponse({"ready": False, "reason": reason, **more}, 503)
