"""Origins: the pages that may use the server from a browser, by HTTP (CORS) and by WebSockets."""

import json
import re
import time
from collections.abc import Collection

import structlog
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.http.websocket_origin import is_same_origin, normalize_origin

from marginalia.cli.terminal import printable

LOOPBACK = "loopback"
"""Stands for the pages that this machine serves itself: whoever runs a server here can ask ours without a browser."""

NONE = "none"
"""Stands for no page but our own."""

EXAMPLE = "MARGINALIA_ALLOWED_ORIGINS=http://localhost:5173,https://editor.example"

HINT_INTERVAL_S = 60.0
"""For how long no second line is logged about pages that were refused."""

METHODS = ("GET", "POST")
MAX_AGE_S = 600

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?", re.IGNORECASE)
_LOOPBACK_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"

_log = structlog.stdlib.get_logger("marginalia.graphql")


def parse_origin(text: str) -> str | None:
    """Return an origin in the form in which browsers send it; None: it is none, as `null` or `http://me@host`."""
    return normalize_origin(text.lower()) if _ORIGIN.fullmatch(text) else None


def split_setting(given: object) -> object:
    """Split the setting into its entries: separated by commas or spaces, or a JSON list."""
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("["):
        try:
            return json.loads(given)
        except (ValueError, RecursionError):
            raise ValueError(f"this is no JSON list; write {EXAMPLE}") from None
    return re.split(r"[,\s]+", given.strip(", \t\r\n"))


def check_entry(given: str) -> str:
    """Return an entry of the setting as it is compared. None stands for all: any page could read what is here."""
    if given.lower() in (LOOPBACK, NONE):
        return given.lower()
    origin = parse_origin(given.removesuffix("/"))
    if origin is None:
        raise ValueError(f"{given[:200]!r} is no origin, which has a scheme and a host and no path; write {EXAMPLE}")
    return origin


class AllowedOrigins:
    """The origins whose pages may use the server, beside its own."""

    def __init__(self, entries: Collection[str] = ()) -> None:
        """Take the entries of the setting."""
        self._origins = frozenset(entries) - {LOOPBACK, NONE}
        self._loopback = LOOPBACK in entries

    def allows(self, given: str) -> bool:
        """Tell whether the setting names an origin that a browser has sent."""
        origin = parse_origin(given)
        if origin is None:
            return False
        return origin in self._origins or (self._loopback and _LOOPBACK_ORIGIN.fullmatch(origin) is not None)

    def allows_socket(self, origin: str | None, host: str | None) -> bool:
        """Tell whether a WebSocket may be opened: by no page, by one of our own, or by one that the setting names.

        Browsers ask nobody before they open one, and send cookies along whatever the page.
        """
        if origin is None:
            return True
        is_page = parse_origin(origin) is not None and origin.lower().startswith(("http://", "https://"))
        return (is_page and is_same_origin(origin, host)) or self.allows(origin)


class OriginRefusals:
    """Tells operators and developers of pages that were refused, and which setting is about them."""

    def __init__(self) -> None:
        self._logged_at: float | None = None
        self._unlogged = 0

    def explain(self, event: str, origin: str) -> str:
        """Return a sentence for who was refused; it is logged too, once a minute at most."""
        shown = printable(origin[:200])
        known = parse_origin(origin)
        hint = (
            f"To allow them, add their origin to the setting: MARGINALIA_ALLOWED_ORIGINS={known}"
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
    """Answers the preflights of browsers, and lets pages of allowed origins read the answers.

    A preflight of an allowed origin may ask for any header: its pages are trusted with the data itself, and clients,
    tracing and error reporting bring headers of their own.
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
            return _refused("Access-Control-Request-Headers is no list of header names.\n")
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
