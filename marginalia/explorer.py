"""The explorer: GraphiQL, self-hosted, with a content security policy that allows no other origin."""

import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from marginalia.transports.routing import with_slash

_FILES = Path(__file__).with_name("static") / "graphiql"

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
}


def routes() -> list[BaseRoute]:
    """Return the routes of the explorer; the root redirects to it."""
    return [
        Route("/", _home),
        *with_slash(Route, "/graphiql", _page),
        Mount("/graphiql/assets", _Assets(directory=_FILES / "assets")),
    ]


class _Assets(StaticFiles):
    """Files with a content hash in their names: browsers may cache them for ever."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Add the caching header."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


async def _home(_request: Request) -> Response:
    return RedirectResponse("graphiql")  # relative: a proxy may serve us under a prefix


async def _page(_request: Request) -> Response:
    return FileResponse(_FILES / "index.html", headers=_PAGE_HEADERS)
