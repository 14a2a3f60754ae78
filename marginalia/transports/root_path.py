"""The root path: the prefix of a server that a proxy shows under a path of its own."""

import re

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def check_root_path(given: str) -> str:
    """Return the normalized setting: empty, or one or more segments such as `/chat`. Raises `ValueError`."""
    path = given.rstrip("/")
    if not _ROOT_PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise ValueError(f"{given[:200]!r} is not a path prefix; write /chat, for example")
    return path


class RootPathMiddleware:
    """Serves every path with the prefix, and without it: a proxy may keep the prefix, or strip it."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path
        self._raw = root_path.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] in ("http", "websocket"):
            if scope["type"] == "http" and scope["path"] == self._root_path:
                # Relative, as all redirects: the proxy may have stripped more than this.
                await RedirectResponse(f"{self._root_path.rpartition('/')[2]}/")(scope, receive, send)
                return
            scope = {**scope, "root_path": self._root_path}
            if not scope["path"].startswith(f"{self._root_path}/"):
                scope["path"] = self._root_path + scope["path"]
                scope["raw_path"] = self._raw + (scope.get("raw_path") or b"")
        await self._app(scope, receive, send)
