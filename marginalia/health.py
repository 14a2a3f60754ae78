"""Health: whether the process lives, and whether it can do its work."""

from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from db import revisions
from db.database import Database
from db.faults import Unavailable

_log = structlog.stdlib.get_logger("marginalia.health")


async def livez(_request: Request) -> Response:
    """Answer: the process lives."""
    return PlainTextResponse("ok\n")


def readyz(database: Database) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint that tells whether requests can be served now."""

    async def answer(_request: Request) -> Response:
        try:
            version = await database.version()
            found = await revisions.read(database)
        except Unavailable:
            return _not_ready("The database cannot be reached.")
        except Exception:
            # Whatever it is, the answer to the question is no.
            _log.exception("not ready")
            return _not_ready("The database cannot be used; the log says why.")
        state = {"engine": database.dialect, "version": version, "schema": found.present}
        if not found.agree:
            return _not_ready(f"The database does not have schema {found.needed}.", database=state)
        return JSONResponse({"ready": True, "database": state})

    return answer


def _not_ready(reason: str, **more: object) -> Response:
    return JSONResponse({"ready": False, "reason": reason, **more}, 503)
