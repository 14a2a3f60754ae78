"""Host validation: the names in the Host header, or in the URL of a request target, that the server accepts."""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from marginalia.terminal import printable
from marginalia.transports.http import request_id

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The accepted hosts. Any other name may come from a web page that uses DNS rebinding."""

PROBES = frozenset({"/livez", "/readyz", "/livez/", "/readyz/"})
"""The paths served under any host: a probe names the address of a pod or, with HTTP/1.0, no host."""

LONGEST_HOST = 300
"""The maximum length of a Host header, in bytes: a DNS name has at most 253, and a port follows."""

_HOST = re.compile(r"(?:(?P<name>[a-z0-9._-]+)|\[(?P<ipv6>[0-9a-f:.]+)\])(?::[0-9]{0,5})?", re.IGNORECASE)
_ABSOLUTE = re.compile(rb"(?:http|ws)s?://(?P<authority>[^/?#@]*)(?P<path>/.*)?", re.IGNORECASE | re.DOTALL)

_log = structlog.stdlib.get_logger("marginalia.graphql")


class HostMiddleware:
    """Serves requests for accepted hosts; logs and refuses all others.

    A request target may be an absolute URL (RFC 9112, 3.2.2). Its authority then replaces the Host header.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = LOOPBACK) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._refusal = "This server accepts requests for {}, not for the host of this request.\n".format(
            " or ".join(f"[{host}]" if ":" in host else host for host in hosts)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        target = _in_origin_form(scope)
        if target is None:
            await self._refuse(scope, receive, send, "The request target is neither a path nor a URL.\n")
            return
        hosts = _named(target)
        path = target["path"].removeprefix(target.get("root_path", ""))
        if path in PROBES or (len(hosts) == 1 and host_name(hosts[0]) in self._hosts):
            await self._app(target, receive, send)
        else:
            await self._refuse(target, receive, send, self._refusal)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, text: str) -> None:
        name = request_id({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})
        host = ", ".join(value.decode("latin-1") for value in _named(scope))[:LONGEST_HOST]
        _log.info("request refused", status=400, host=printable(host), request_id=name)
        await PlainTextResponse(text, 400, {"X-Request-ID": name})(scope, receive, send)


@lru_cache(maxsize=100)
def host_name(value: bytes) -> str | None:
    """Return the host in a Host header, such as `localhost` or `::1`. None: the header is not valid."""
    found = _HOST.fullmatch(value.decode("latin-1")) if len(value) <= LONGEST_HOST else None
    if found is None:
        return None
    if found["name"]:
        return found["name"].lower().removesuffix(".")  # a DNS name with a final dot is the same name
    try:
        return str(ipaddress.IPv6Address(found["ipv6"]))
    except ValueError:
        return None


def _named(scope: Scope) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == b"host"]


def _in_origin_form(scope: Scope) -> Scope | None:
    """Return the scope with the target in origin form; the authority of an absolute URL becomes the Host header.

    None: the target has a form that only a proxy accepts.
    """
    root: str = scope.get("root_path", "")
    if scope["path"].removeprefix(root).startswith("/") or scope["path"] == f"{root}*":
        return scope
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    found = _ABSOLUTE.fullmatch(raw.removeprefix(root.encode()))
    if found is None:
        return None
    raw_path: bytes = found["path"] or b"/"
    headers: list[Any] = [(name, value) for name, value in scope["headers"] if name != b"host"]
    return {
        **scope,
        "path": root + unquote(raw_path.decode("latin-1")),
        "raw_path": root.encode() + raw_path,
        "headers": [(b"host", found["authority"]), *headers],
    }
