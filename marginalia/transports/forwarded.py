"""Forwarded headers: the client, scheme and host of a request that came through proxies, told by trusted ones only."""

import ipaddress
from collections.abc import Collection, Sequence

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from marginalia.observability.throttle import Throttle
from marginalia.setting_lists import NONE, without_none

UNIX = "unix"
"""In the setting: clients of the Unix socket. The permissions of its file decide who can connect."""

EXAMPLE = "MARGINALIA_TRUSTED_PROXIES=127.0.0.1,10.0.0.0/8"

HINT_INTERVAL_S = 60.0
"""The minimum interval between two log lines about headers that are ignored."""

_SECURE = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

_log = structlog.stdlib.get_logger("marginalia.graphql")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_entry(given: str) -> str:
    """Return the normalized entry of the setting: an IP address, a network, `unix` or `none`."""
    if given.lower() in (UNIX, NONE):
        return given.lower()
    return check_network(given, EXAMPLE)


def check_network(given: str, example: str) -> str:
    """Return a network in its usual form; one of a single address as the address. Raises `ValueError`."""
    try:
        network = ipaddress.ip_network(given)
    except ValueError:
        raise ValueError(f"{given[:200]!r} is not an IP address or network; write {example}") from None
    return str(network.network_address if network.num_addresses == 1 else network)


class Networks:
    """Some IP networks."""

    def __init__(self, entries: Collection[str]) -> None:
        """Take addresses and networks, as `check_network` returns them."""
        self._networks: Sequence[Network] = tuple(map(ipaddress.ip_network, entries))

    def __contains__(self, address: object) -> bool:
        """Whether an address, as text, is in one of the networks."""
        parsed = parse_address(address) if isinstance(address, str) else None
        return parsed is not None and any(parsed in network for network in self._networks)


class ForwardedMiddleware:
    """Replaces the client, the scheme and the Host header by what trusted proxies say: `X-Forwarded-For/-Proto/-Host`.

    Nothing is taken from others. `Forwarded` (RFC 7239) is never read: a proxy that sets the other headers passes it on
    as the client sent it.
    """

    def __init__(self, app: ASGIApp, trusted: Collection[str] = ()) -> None:
        """Trust the entries of the setting."""
        self._app = app
        self._trusted = Networks([entry for entry in without_none(trusted) if entry != UNIX])
        self._trusts_unix = UNIX in trusted
        self._ignored = Throttle(HINT_INTERVAL_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request as its client sent it."""
        if scope["type"] in ("http", "websocket"):
            scope = self._as_sent(scope)
        await self._app(scope, receive, send)

    def _as_sent(self, scope: Scope) -> Scope:
        told = {name: value for name, value in scope["headers"] if name.startswith(b"x-forwarded-")}
        if not told:
            return scope
        if not self._trusts(scope):
            if unlogged := self._ignored.count():
                _log.info("forwarded headers ignored", client=client_address(scope), hint=_hint(scope), count=unlogged)
            return scope
        hops = _values(scope, b"x-forwarded-for")
        changed = {**scope, "client": self._client(scope, hops)}
        if protocols := _values(scope, b"x-forwarded-proto"):
            # The last value is that of the proxy which is connected to us.
            is_secure = _SECURE.get(protocols[-1].lower()) == "https"
            plain = "http" if scope["type"] == "http" else "ws"
            changed["scheme"] = f"{plain}s" if is_secure else plain
        if hosts := _values(scope, b"x-forwarded-host"):
            others = [header for header in scope["headers"] if header[0] != b"host"]
            changed["headers"] = [(b"host", hosts[-1].encode("latin-1")), *others]
        return changed

    def _trusts(self, scope: Scope) -> bool:
        return self._trusts_unix if is_unix(scope) else client_address(scope) in self._trusted

    def _client(self, scope: Scope, hops: Sequence[str]) -> tuple[str, int] | None:
        """Return the right-most address that is not a trusted proxy's; the left-most if all are."""
        client: tuple[str, int] | None = scope.get("client")
        for hop in reversed(hops):
            address = parse_address(hop)
            if address is None:
                break  # `unknown`, or no address at all: nobody vouches for what stands before it
            client = (str(address), 0)
            if client[0] not in self._trusted:
                break
        return client


def client_address(scope: Scope) -> str | None:
    """Return the IP address of the client. None: it is connected to a Unix socket."""
    client = scope.get("client")
    return None if client is None else str(client[0])


def is_unix(scope: Scope) -> bool:
    """Whether the peer is connected to a Unix socket."""
    server = scope.get("server")
    return scope.get("client") is None and server is not None and server[1] is None


def was_forwarded(scope: Scope) -> bool:
    """Whether a proxy, trusted or not, says for whom it asks."""
    return any(name in (b"x-forwarded-for", b"forwarded", b"x-real-ip") for name, _ in scope["headers"])


def parse_address(text: str) -> Address | None:
    """Return an address, which may have a port. IPv4 addresses within IPv6 count as IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _values(scope: Scope, name: bytes) -> list[str]:
    """Return the entries of a header that is a list, of all its lines."""
    lines = (value.decode("latin-1") for key, value in scope["headers"] if key == name)
    return [entry for entry in (entry.strip() for line in lines for entry in line.split(",")) if entry]


def _hint(scope: Scope) -> str:
    entry = UNIX if is_unix(scope) else client_address(scope)
    return f"If this is your proxy, trust it: MARGINALIA_TRUSTED_PROXIES={entry}"
