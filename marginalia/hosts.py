"""Hosts: the names under which the server is asked, by a Host header or by the URL in a request target."""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from marginalia.cli.terminal import printable
from marginalia.transports.http import request_id

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The hosts that are served; any other name in a request is a web page that was led here by its DNS."""

PROBES = frozenset({"/livez", "/readyz", "/livez/", "/readyz/"})
"""The paths that are served under any name: a probe names the address of a pod, or by HTTP/1.0 nothing at all."""

LONGEST_HOST = 300
"""How many bytes a Host header may have: a name of DNS has at most 253, and a port follows."""

_HOST = re.compile(r"(?:(?P<name>[a-z0-9._-]+)|\[(?P<ipv6>[0-9a-f:.]+)\])(?::[0-9]{0,5})?", re.IGNORECASE)
_ABSOLUTE = re.compile(rb"(?:http|ws)s?://(?P<authority>[^/?#@]*)(?P<path>/.*)?", re.IGNORECASE | re.DOTALL)

_log = structlog.stdlib.get_logger("marginalia.graphql")


class HostMiddleware:
    """Serves the requests for hosts of ours, logs and refuses the others.

    A request target may be a whole URL (RFC 9112, 3.2.2): its authority counts then, in place of the Host header.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = LOOPBACK) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._refusal = "This server is asked as {}, not as the host that this request names.\n".format(
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
    """Return the host in a Host header, as `localhost` or `::1`; None: it names none."""
    found = _HOST.fullmatch(value.decode("latin-1")) if len(value) <= LONGEST_HOST else None
    if found is None:
        return None
    if found["name"]:
        return found["name"].lower().removesuffix(".")  # with its dot at the end, a name of DNS is the same one
    try:
        return str(ipaddress.IPv6Address(found["ipv6"]))
    except ValueError:
        return None


def _named(scope: Scope) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == b"host"]


def _in_origin_form(scope: Scope) -> Scope | None:
    """Return the scope of a request with a path in it, and in its Host header what a whole URL has named.

    None: the target is of no form that is asked of a server that is no proxy.
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
