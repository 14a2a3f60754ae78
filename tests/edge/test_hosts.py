"""Hosts: the names under which the server is asked, by the header or by the URL in the request target."""

import asyncio
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from marginalia.transports.hosts import HostMiddleware
from tests.edge.conftest import Log
from tests.edge.sockets import SECONDS, handshake
from tests.support.client import Served
from tests.support.processes import Server, running_process

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

QUERY = {"query": "{ __typename }"}
ANSWER = '{"data":{"__typename":"Query"}}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_process(f"sqlite:///{tmp_path_factory.mktemp('hosts')}/marginalia.db") as running:
        yield running


def request(target: str, *lines: str, method: str = "GET", version: str = "1.1", body: str = "") -> bytes:
    """Return a request as it goes over the wire."""
    fields = [f"{method} {target} HTTP/{version}", *lines]
    if body:
        fields += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*fields, "", body]).encode("latin-1")


def ask(server: Server, data: bytes) -> str:
    """Send what ends with `Connection: close`, or is of HTTP/1.0, and return all that comes back."""
    address = urlsplit(server.address)
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as caller:
        caller.sendall(data)
        with caller.makefile("rb") as answer:
            return answer.read().decode()


def status(answer: str) -> int:
    return int(answer.split(" ", 2)[1])


CLOSE = "Connection: close"


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("http://127.0.0.1/graphql", "127.0.0.1"),
        ("http://127.0.0.1:8000/graphql", "127.0.0.1:8000"),
        ("HTTP://LocalHost/graphql", "localhost"),
        ("http://[::1]:8000/graphql", "[::1]"),
        ("https://localhost/graphql", "localhost"),
        ("http://localhost/graphql/", "localhost"),
        ("http://localhost/graphql?a=b", "localhost"),
        # The URL counts, and the header does not: RFC 9112, 3.2.2.
        ("http://localhost/graphql", "evil.example"),
    ],
)
def test_a_request_target_may_be_a_whole_url(server: Server, target: str, host: str) -> None:
    sent = request(target, f"Host: {host}", CLOSE, method="POST", body=json.dumps(QUERY))

    answer = ask(server, sent)

    assert status(answer) == 200
    assert ANSWER in answer


def test_the_query_of_a_whole_url_is_read(server: Server) -> None:
    assert ANSWER in ask(server, request("http://localhost/graphql?query=%7B__typename%7D", "Host: localhost", CLOSE))


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("http://evil.example/graphql", "localhost"),
        ("http://localhost@evil.example/graphql", "localhost"),
        ("http://evil.example@localhost/graphql", "localhost"),
        ("http:///graphql", "localhost"),
        ("ftp://localhost/graphql", "localhost"),
        ("localhost:8000", "localhost"),
        ("graphql", "localhost"),
    ],
)
def test_a_target_under_another_name_or_of_another_form_is_refused(server: Server, target: str, host: str) -> None:
    sent = request(target, f"Host: {host}", CLOSE, method="POST", body=json.dumps(QUERY))

    assert status(ask(server, sent)) == 400


@pytest.mark.parametrize(("target", "expected"), [("http://localhost", 307), ("http://localhost/none", 404)])
def test_a_whole_url_leads_where_its_path_does(server: Server, target: str, expected: int) -> None:
    assert status(ask(server, request(target, "Host: localhost", CLOSE))) == expected


def test_a_handshake_may_name_a_whole_url(server: Server) -> None:
    answer = ask_once(server, handshake(server.address, target=f"{server.address}/graphql", host="evil.example"))
    assert status(answer) == 101
    answer = ask_once(server, handshake(server.address, target="http://evil.example/graphql"))
    assert status(answer) == 400


def ask_once(server: Server, data: bytes) -> str:
    """Send a handshake and return the first piece of the answer."""
    address = urlsplit(server.address)
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as caller:
        caller.sendall(data)
        return caller.recv(10_000).decode()


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/livez/", "/readyz/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("lines", "version"),
    [
        ([], "1.0"),
        (["Host: 10.0.0.7:8000", CLOSE], "1.1"),
        (["Host: marginalia.svc.cluster.local", CLOSE], "1.1"),
        (["Host:", CLOSE], "1.1"),
    ],
)
def test_a_probe_is_answered_under_any_name_and_without_one(
    server: Server, path: str, method: str, lines: list[str], version: str
) -> None:
    assert status(ask(server, request(path, *lines, method=method, version=version))) == 200


@pytest.mark.parametrize("path", ["/graphql?query=%7B__typename%7D", "/graphiql", "/metrics", "/livezz", "/livez/x"])
def test_without_a_host_nothing_else_is_answered(server: Server, path: str) -> None:
    assert status(ask(server, request(path, version="1.0"))) == 400
    # By HTTP/1.1 the header is a must: RFC 9112, 3.2.
    assert status(ask(server, request("/livez"))) == 400


def test_requests_that_come_in_one_piece_are_all_answered(server: Server) -> None:
    whole, path = (
        request(target, "Host: localhost", method="POST", body=json.dumps(QUERY))
        for target in ("http://localhost/graphql", "/graphql")
    )
    last = request("/livez", "Host: localhost", CLOSE)

    answer = ask(server, whole + path + whole + last)

    assert answer.count("HTTP/1.1 200 ") == 4
    assert answer.count(ANSWER) == 3


@on_sqlite
@pytest.mark.parametrize("host", ["localhost.", "LocalHost.:8000", "[0:0:0:0:0:0:0:1]", "127.0.0.1:"])
async def test_another_way_to_write_a_name_is_the_same_name(client: Served, host: str) -> None:
    response = await client.http.post("/graphql", json=QUERY, headers={"Host": host})

    assert response.json() == {"data": {"__typename": "Query"}}


@on_sqlite
@pytest.mark.parametrize(
    "host", ["localhost..", "localhost:x", "localhost:123456", "[::1", "[::1]x", "[localhost]", "x" * 5_000, "a,b"]
)
async def test_what_is_no_name_of_ours_is_refused(client: Served, host: str) -> None:
    assert (await client.http.post("/graphql", json=QUERY, headers={"Host": host})).status_code == 400


@on_sqlite
async def test_a_request_that_is_refused_for_its_host_is_logged(client: Served, log: Log) -> None:
    response = await client.http.post("/graphql?word=Xanthippe", json=QUERY, headers={"Host": "evil.example:8000"})

    assert response.status_code == 400
    assert "127.0.0.1 or localhost or [::1]" in response.text
    (line,) = log.of("request refused")
    assert (line["level"], line["status"], line["host"]) == ("info", 400, "evil.example:8000")
    assert line["request_id"] == response.headers["x-request-id"]
    assert "Xanthippe" not in str(line)


def test_a_handshake_that_is_refused_for_its_host_is_logged(server: Server) -> None:
    assert status(ask_once(server, handshake(server.address, host="elsewhere.example"))) == 400
    assert [line for line in server.log.splitlines() if json.loads(line).get("host") == "elsewhere.example"]


async def test_a_whole_url_is_read_behind_a_prefix_too() -> None:
    async def application(scope: Scope, _receive: Receive, send: Send) -> None:
        text = json.dumps([scope["path"], dict(scope["headers"])[b"host"].decode()]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text})

    scope = {"type": "http", "headers": [(b"host", b"evil.example")], "root_path": "/api", "method": "GET"}
    for raw in ("http://localhost:1/a%20b", "/a%20b"):
        sent: list[bytes] = []

        async def send(message: object, sent: list[bytes] = sent) -> None:
            if isinstance(message, dict):
                sent.append(message.get("body", b""))

        full = {**scope, "path": "/api" + raw.replace("%20", " "), "raw_path": b"/api" + raw.encode()}
        await HostMiddleware(application)(full, asyncio.Event().wait, send)  # type: ignore[arg-type] # never called
        if raw.startswith("/"):
            assert b"accepts requests for" in sent[1]
        else:
            assert json.loads(sent[1]) == ["/api/a b", "localhost:1"]


def test_a_client_of_http_can_be_told_to_use_a_whole_url(server: Server) -> None:
    """As one does that takes the server for its proxy."""
    with httpx.Client(proxy=server.address, timeout=SECONDS) as http:
        assert http.post(f"{server.address}/graphql", json=QUERY).json() == {"data": {"__typename": "Query"}}
        assert http.post("http://evil.example/graphql", json=QUERY).status_code == 400
