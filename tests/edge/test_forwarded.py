"""Forwarded headers: what trusted proxies say of a client, and what others say in vain."""

from collections.abc import Collection
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from marginalia.settings import Settings
from marginalia.transports.forwarded import ForwardedMiddleware
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.support import signed_in

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PROXY, OTHER, CLIENT = "10.0.0.1", "198.51.100.9", "203.0.113.7"
TRUSTED = ("10.0.0.0/8", "2001:db8::1")
QUERY = {"query": "{ __typename }"}


async def served(
    *headers: tuple[str, str],
    peer: tuple[str, int] | None = (PROXY, 1),
    server: tuple[str, int | None] = ("10.0.0.2", 80),
    trusted: Collection[str] = TRUSTED,
    kind: str = "http",
) -> Scope:
    """Return the scope that the application gets for a request with these headers."""
    seen: list[Scope] = []

    async def application(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    raw = [(b"host", b"inner"), *((name.lower().encode(), value.encode("latin-1")) for name, value in headers)]
    scope = {"type": kind, "scheme": "http", "client": peer, "server": server, "headers": raw}
    await ForwardedMiddleware(application, trusted)(scope, None, None)  # type: ignore[arg-type] # never called
    return seen[0]


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        (CLIENT, CLIENT),
        (f"{CLIENT}:4711", CLIENT),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        (f"::ffff:{CLIENT}", CLIENT),
        # The client wrote what stands before the address that our proxy saw.
        (f"1.2.3.4, {CLIENT}", CLIENT),
        (f"127.0.0.1, 10.0.0.3, {CLIENT}", CLIENT),
        (f"{CLIENT}, 10.0.0.3, 2001:db8::1", CLIENT),
        ("10.0.0.4, 10.0.0.3", "10.0.0.4"),
        # Whatever is no address ends the list: nobody vouches for what stands before it.
        ("unknown", PROXY),
        (f"{CLIENT}, unknown, 10.0.0.3", "10.0.0.3"),
        (f"{CLIENT}, <script>", PROXY),
        ("", PROXY),
        (" , ,", PROXY),
    ],
)
async def test_the_client_is_the_right_most_address_that_no_trusted_proxy_has(sent: str, client: str) -> None:
    scope = await served(("X-Forwarded-For", sent))

    assert scope["client"][0] == client


async def test_lines_of_one_header_are_one_list() -> None:
    scope = await served(("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", CLIENT))

    assert scope["client"][0] == CLIENT


@pytest.mark.parametrize(
    ("kind", "told", "scheme"),
    [
        ("http", "https", "https"),
        ("http", "HTTPS", "https"),
        ("http", "wss", "https"),
        ("http", "http", "http"),
        ("http", "http, https", "https"),
        ("http", "https, http", "http"),
        ("http", "gopher", "http"),
        ("websocket", "https", "wss"),
        ("websocket", "http", "ws"),
    ],
)
async def test_the_scheme_is_that_of_the_nearest_proxy(kind: str, told: str, scheme: str) -> None:
    assert (await served(("X-Forwarded-Proto", told), kind=kind))["scheme"] == scheme


async def test_the_host_is_that_of_the_nearest_proxy() -> None:
    scope = await served(("X-Forwarded-Host", "evil.example, editor.example:8443"))

    assert [value for name, value in scope["headers"] if name == b"host"] == [b"editor.example:8443"]


ALL = (("X-Forwarded-For", CLIENT), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "editor.example"))


@pytest.mark.parametrize(
    ("peer", "server", "trusted"),
    [
        ((OTHER, 1), ("10.0.0.2", 80), TRUSTED),
        ((PROXY, 1), ("10.0.0.2", 80), ("none",)),
        ((PROXY, 1), ("10.0.0.2", 80), ("unix",)),
        (None, ("/run/marginalia.sock", None), TRUSTED),
        (None, ("10.0.0.2", 80), (*TRUSTED, "unix")),  # a TCP client that has gone already
    ],
)
async def test_nothing_is_taken_from_others(
    peer: tuple[str, int] | None, server: tuple[str, int | None], trusted: tuple[str, ...]
) -> None:
    scope = await served(*ALL, peer=peer, server=server, trusted=trusted)

    assert (scope["client"], scope["scheme"]) == (peer, "http")
    assert (b"host", b"inner") in scope["headers"]


async def test_a_unix_socket_is_trusted_if_a_setting_says_so() -> None:
    scope = await served(*ALL, peer=None, server=("/run/marginalia.sock", None), trusted=("unix",))

    assert (scope["client"][0], scope["scheme"]) == (CLIENT, "https")


async def test_forwarded_is_not_read_because_proxies_pass_it_on() -> None:
    scope = await served(("Forwarded", f"for={CLIENT};proto=https;host=evil.example"))

    assert (scope["client"][0], scope["scheme"]) == (PROXY, "http")


@on_sqlite
async def test_the_log_has_the_address_of_the_client(serve: Serve, log: Log) -> None:
    proxy = {"trusted_proxies": "127.0.0.1", "allowed_hosts": "editor.example"}
    async with serve(**signed_in.SETTINGS, **proxy) as client:
        headers = {**signed_in.HEADERS, "X-Forwarded-For": f"1.2.3.4, {CLIENT}", "X-Forwarded-Host": "editor.example"}
        assert (await client.http.post("/graphql", json=QUERY, headers=headers)).status_code == 200
        refused = await client.http.post("/graphql", json=QUERY, headers=headers | {"X-Forwarded-Host": "evil.example"})
    assert refused.status_code == 400
    assert [line["client"] for line in log.of("operation", "request refused")] == [CLIENT, CLIENT]
    assert log.of("forwarded headers ignored") == []


@on_sqlite
async def test_a_proxy_that_is_not_trusted_is_named_in_the_log_once_a_minute(serve: Serve, log: Log) -> None:
    async with serve(**signed_in.SETTINGS) as client:
        for _ in range(3):
            headers = {**signed_in.HEADERS, "X-Forwarded-For": CLIENT}
            assert (await client.http.post("/graphql", json=QUERY, headers=headers)).status_code == 200
    (line,) = log.of("forwarded headers ignored")
    assert line["hint"].endswith("MARGINALIA_TRUSTED_PROXIES=127.0.0.1")
    assert {each["client"] for each in log.of("operation")} == {"127.0.0.1"}


@on_sqlite
@pytest.mark.parametrize(
    ("clients", "headers", "expected"),
    [
        ("127.0.0.1", {}, 200),
        ("10.0.0.0/8,::1", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("127.0.0.1", {"X-Real-IP": CLIENT}, 404),
        ("127.0.0.1", {"Forwarded": f"for={CLIENT}"}, 404),
    ],
)
@pytest.mark.parametrize("trusted", ["none", "127.0.0.1"])
async def test_metrics_are_for_the_networks_of_a_setting_and_never_go_through_a_proxy(
    serve: Serve, clients: str, headers: dict[str, str], expected: int, trusted: str
) -> None:
    async with serve(**signed_in.SETTINGS, metrics_clients=clients, trusted_proxies=trusted) as client:
        for path in ("/metrics", "/metrics/"):
            assert (await client.http.get(path, headers=headers)).status_code == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        (" 10.0.0.0/8 , UNIX", ["10.0.0.0/8", "unix"]),
        ("::1/128,2001:DB8::/32", ["::1", "2001:db8::/32"]),
        ("none", ["none"]),
    ],
)
def test_the_proxies_are_a_list(monkeypatch: pytest.MonkeyPatch, given: str, expected: list[str]) -> None:
    monkeypatch.setenv("MARGINALIA_TRUSTED_PROXIES", given)

    assert Settings(_env_file=None, **signed_in.SETTINGS).trusted_proxies == expected


@pytest.mark.parametrize("given", ["*", "proxy.example", "10.0.0.1/8", "127.0.0.1:80"])
def test_what_is_no_network_is_explained_by_an_example(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("MARGINALIA_TRUSTED_PROXIES", given)

    with pytest.raises(ValueError, match="is not an IP address or network; write MARGINALIA_TRUSTED_PROXIES="):
        Settings(_env_file=None, **signed_in.SETTINGS)


@pytest.mark.parametrize("name", ["trusted_proxies", "allowed_hosts"])
def test_who_serves_others_needs_tokens(name: str) -> None:
    given: dict[str, Any] = {name: "10.0.0.1"}
    with pytest.raises(ValueError, match=f"MARGINALIA_{name.upper()} needs MARGINALIA_AUTH=tokens"):
        Settings(_env_file=None, **given)
