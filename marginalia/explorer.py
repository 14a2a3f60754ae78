"""The explorer: GraphiQL, self-hosted, with a content security policy that allows no other origin."""

import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

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
        Route("/graphiql", _page),
        Route("/graphiql/", _without_slash),
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


# Redirects are relative: a proxy may show the server under a prefix that only it knows.


async def _home(_request: Request) -> Response:
    return RedirectResponse("graphiql")


async def _without_slash(_request: Request) -> Response:
    # The page finds its files and the endpoint relative to its own address.
    return RedirectResponse("../graphiql")


async def _page(_request: Request) -> Response:
    return FileResponse(_FILES / "index.html", headers=_PAGE_HEADERS)
