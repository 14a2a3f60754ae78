"""Origins: the web pages that may use the server from a browser, over HTTP (CORS) and WebSockets."""

import re
import time
from collections.abc import Collection

import structlog
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.http.websocket_origin import is_same_origin, normalize_origin

from marginalia.setting_lists import NONE
from marginalia.terminal import printable

LOOPBACK = "loopback"
"""Stands for all pages served by this machine: anyone who runs a server here can call ours without a browser too."""

EXAMPLE = "MARGINALIA_ALLOWED_ORIGINS=http://localhost:5173,https://editor.example"

HINT_INTERVAL_S = 60.0
"""The minimum interval between two log lines about refused pages."""

METHODS = ("GET", "POST")
MAX_AGE_S = 600

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?", re.IGNORECASE)
_LOOPBACK_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"

_log = structlog.stdlib.get_logger("marginalia.graphql")


def parse_origin(text: str) -> str | None:
    """Return an origin in the browsers' form. None: the text is not an origin, such as `null` or `http://me@host`."""
    return normalize_origin(text.lower()) if _ORIGIN.fullmatch(text) else None


def check_entry(given: str) -> str:
    """Return the normalized entry of the setting. No entry allows all origins: any page could then read the data."""
    if given.lower() in (LOOPBACK, NONE):
        return given.lower()
    origin = parse_origin(given.removesuffix("/"))
    if origin is None:
        raise ValueError(f"{given[:200]!r} is not an origin: a scheme and a host, without a path; write {EXAMPLE}")
    return origin


class AllowedOrigins:
    """The origins whose pages may use the server, in addition to its own."""

    def __init__(self, entries: Collection[str] = ()) -> None:
        """Take the entries of the setting."""
        self._origins = frozenset(entries) - {LOOPBACK, NONE}
        self._loopback = LOOPBACK in entries

    def allows(self, given: str) -> bool:
        """Whether the setting allows an origin that a browser sent."""
        origin = parse_origin(given)
        if origin is None:
            return False
        return origin in self._origins or (self._loopback and _LOOPBACK_ORIGIN.fullmatch(origin) is not None)

    def allows_socket(self, origin: str | None, host: str | None) -> bool:
        """Whether a WebSocket may be opened: by a client that is not a page, by our own pages, or by an allowed origin.

        Browsers send no preflight before they open a WebSocket, and send cookies from any page.
        """
        if origin is None:
            return True
        is_page = parse_origin(origin) is not None and origin.lower().startswith(("http://", "https://"))
        return (is_page and is_same_origin(origin, host)) or self.allows(origin)


class OriginRefusals:
    """Explains refused pages to operators and developers, and names the setting."""

    def __init__(self) -> None:
        self._logged_at: float | None = None
        self._unlogged = 0

    def explain(self, event: str, origin: str) -> str:
        """Return an explanation for the refused client. It is also logged, once a minute at most."""
        shown = printable(origin[:200])
        known = parse_origin(origin)
        hint = (
            f"To allow them, add their origin: MARGINALIA_ALLOWED_ORIGINS={known}"
            if known
            else "MARGINALIA_ALLOWED_ORIGINS can name only origins that have a scheme and a host"
        )
        now = time.monotonic()
        if self._logged_at is not None and now < self._logged_at + HINT_INTERVAL_S:
            self._unlogged += 1
        else:
            _log.warning(event, origin=shown, hint=hint, unlogged=self._unlogged)
            self._logged_at, self._unlogged = now, 0
        return f"Pages of {shown} may not use this server. {hint}\n"


class CrossOriginMiddleware:
    """Answers preflights, and lets pages of allowed origins read responses.

    A preflight of an allowed origin may request any header: its pages are trusted with the data itself, and clients,
    tracing and error reporting use headers of their own.
    """

    def __init__(self, app: ASGIApp, allowed: AllowedOrigins, refusals: OriginRefusals) -> None:
        self._app = app
        self._allowed = allowed
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
        if origin is not None and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "access-control-request-method" in headers:
                await self._preflight(origin, headers)(scope, receive, send)
                return
        added = [(b"vary", b"Origin")]
        if origin is not None and self._allowed.allows(origin):
            added += [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-expose-headers", b"x-request-id"),
            ]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _preflight(self, origin: str, asked: Headers) -> Response:
        if not self._allowed.allows(origin):
            return _refused(self._refusals.explain("preflight refused", origin))
        method = asked["access-control-request-method"]
        if method not in METHODS:
            return _refused(f"The method is one of {', '.join(METHODS)}.\n")
        named = ",".join(asked.getlist("access-control-request-headers")).split(",")
        names = [name for name in (name.strip() for name in named) if name]
        if not all(map(_TOKEN.fullmatch, names)):
            return _refused("Access-Control-Request-Headers is not a list of header names.\n")
        headers = {
            "Vary": _VARY,
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Methods": ", ".join(METHODS),
            "Access-Control-Max-Age": str(MAX_AGE_S),
        }
        if names:
            headers["Access-Control-Allow-Headers"] = ", ".join(names)
        if "access-control-request-private-network" in asked:
            headers["Access-Control-Allow-Private-Network"] = "true"
        return PlainTextResponse("OK", headers=headers)


def _refused(text: str) -> Response:
    return PlainTextResponse(text, 400, {"Vary": _VARY})
