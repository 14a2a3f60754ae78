"""Health: whether the process lives, and whether it can do its work."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from db import revisions
from db.database import Database
from db.faults import Unavailable


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
            return JSONResponse({"ready": False, "reason": "The database cannot be reached."}, 503)
        return JSONResponse(
            {
                "ready": found.agree,
                "database": {"engine": database.dialect, "version": version, "schema": found.present},
            },
            200 if found.agree else 503,
        )

    return answer
