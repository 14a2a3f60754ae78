"""Host validation: the names in the Host header, or in the URL of a request target, that the server accepts."""

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from marginalia.setting_lists import NONE, without_none
from marginalia.terminal import printable
from marginalia.transports.forwarded import client_address
from marginalia.transports.http import request_id

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The hosts that are always accepted. Any other name may come from a web page that uses DNS rebinding."""

EXAMPLE = "MARGINALIA_ALLOWED_HOSTS=editor.example,*.internal.example"

PROBES = frozenset({"/livez", "/readyz", "/livez/", "/readyz/"})
"""The paths served under any host: a probe names the address of a pod or, with HTTP/1.0, no host."""

LONGEST_HOST = 300
"""The maximum length of a Host header, in bytes: a DNS name has at most 253, and a port follows."""

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_HOST = re.compile(r"(?:(?P<name>[a-z0-9._-]+)|\[(?P<ipv6>[0-9a-f:.]+)\])(?::[0-9]{0,5})?", re.IGNORECASE)
_ABSOLUTE = re.compile(rb"(?:http|ws)s?://(?P<authority>[^/?#@]*)(?P<path>/.*)?", re.IGNORECASE | re.DOTALL)

_log = structlog.stdlib.get_logger("marginalia.graphql")


def check_entry(given: str) -> str:
    """Return the normalized entry of the setting: a host name, an IP address, or `*.` and a domain.

    No entry accepts all hosts: a page that uses DNS rebinding could then reach the server.
    """
    if given.lower() == NONE:
        return NONE
    wildcard = "*." if given.startswith("*.") else ""
    name = given.removeprefix(wildcard).removesuffix(".").lower()
    try:
        address = None if wildcard else ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        address = None
    if address is None and not _NAME.fullmatch(name):
        raise ValueError(f"{given[:200]!r} is not a host: a name without a scheme, port or path; write {EXAMPLE}")
    return str(address or f"{wildcard}{name}")


class AllowedHosts:
    """The hosts under which the server answers: those of loopback, and the entries of the setting."""

    def __init__(self, entries: Collection[str] = ()) -> None:
        """Take the entries of the setting."""
        self.entries = (*LOOPBACK, *without_none(entries))
        self._hosts = frozenset(self.entries)
        self._domains = tuple(entry[1:] for entry in self.entries if entry.startswith("*."))

    def allows(self, header: bytes) -> bool:
        """Whether a Host header names an allowed host."""
        host = host_name(header)
        return host is not None and (host in self._hosts or host.endswith(self._domains))


class HostMiddleware:
    """Serves requests for allowed hosts; logs and refuses all others.

    A request target may be an absolute URL (RFC 9112, 3.2.2). Its authority then replaces the Host header.
    """

    def __init__(self, app: ASGIApp, hosts: AllowedHosts | None = None) -> None:
        self._app = app
        self._hosts = hosts or AllowedHosts()
        self._refusal = "This server accepts requests for {}, not for the host of this request.\n".format(
            " or ".join(f"[{host}]" if ":" in host else host for host in self._hosts.entries)
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
        if path in PROBES or (len(hosts) == 1 and self._hosts.allows(hosts[0])):
            await self._app(target, receive, send)
        else:
            await self._refuse(target, receive, send, self._refusal)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, text: str) -> None:
        name = request_id({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})
        named = _named(scope)
        known = host_name(named[0]) if len(named) == 1 else None
        host = ", ".join(value.decode("latin-1") for value in named)[:LONGEST_HOST]
        fields = {"hint": f"To accept it, add it: MARGINALIA_ALLOWED_HOSTS={known}"} if known else {}
        _log.info(
            "request refused", status=400, host=printable(host), client=client_address(scope), **fields, request_id=name
        )
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
