"""Origins: which pages may use the server from a browser, and what the others and the operator are told."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import ValidationError
from websockets.exceptions import InvalidStatus

from marginalia.settings import Settings
from marginalia.transports import origins
from marginalia.transports.origins import AllowedOrigins
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.edge.sockets import socket
from tests.support.client import Served
from tests.support.processes import Server, environment, run, running_process

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ORIGIN = "https://editor.example"
PAGE = "http://localhost:5173"
QUERY = {"query": "{ __typename }"}
ANSWER = {"data": {"__typename": "Query"}}
HEADERS = {
    "an Apollo client": "apollographql-client-name, content-type",
    "Apollo's operation id": "content-type,x-apollo-operation-id",
    "error reporting": "baggage,content-type,sentry-trace",
    "a client's name": "graphql-client-name,graphql-client-version",
    "any token": "x!#$%&'*+.^_`|~9,CONTENT-type, , accept",
}


def preflight(origin: str = ORIGIN, **more: str) -> dict[str, str]:
    fields = {"Origin": origin, "Access-Control-Request-Method": "POST", **more}
    return {name.replace("_", "-"): value for name, value in fields.items()}


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[Served]:
    async with serve(allowed_origins=ORIGIN) as serving:
        yield serving


@on_sqlite
@pytest.mark.parametrize("names", HEADERS.values(), ids=HEADERS)
async def test_a_page_of_an_allowed_origin_may_send_any_header(client: Served, names: str) -> None:
    asked = preflight(Access_Control_Request_Headers=names)

    answer = await client.http.options("/graphql", headers=asked)

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ORIGIN)
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed == {name.strip() for name in names.split(",")} - {""}


@on_sqlite
@pytest.mark.parametrize("names", ["content type", "x:y", "a,b;c", "ä", "(x)"])
async def test_what_is_no_name_of_a_header_is_not_repeated(client: Served, names: str) -> None:
    fields = preflight(Access_Control_Request_Headers=names)
    asked = {name.encode(): value.encode("latin-1") for name, value in fields.items()}
    answer = await client.http.options("/graphql", headers=asked)

    assert answer.status_code == 400
    assert not [name for name in answer.headers if name.startswith("access-control")]


@on_sqlite
async def test_a_page_of_an_allowed_origin_may_reach_a_private_network(client: Served) -> None:
    asked = preflight(Access_Control_Request_Private_Network="true")

    answer = await client.http.options("/graphql", headers=asked)

    assert (answer.status_code, answer.headers["access-control-allow-private-network"]) == (200, "true")
    refused = await client.http.options("/graphql", headers={**asked, "Origin": "https://evil.example"})
    assert refused.status_code == 400
    assert not [name for name in refused.headers if name.startswith("access-control")]


@on_sqlite
@pytest.mark.parametrize("method", ["DELETE", "post", "", "CONNECT"])
async def test_no_other_method_is_allowed(client: Served, method: str) -> None:
    asked = preflight() | {"Access-Control-Request-Method": method}
    assert (await client.http.options("/graphql", headers=asked)).status_code == 400


@on_sqlite
async def test_pages_of_this_machine_are_allowed_until_others_are_named(serve: Serve) -> None:
    pages = (PAGE, "https://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:8080", "http://localhost")
    others = (
        ORIGIN,
        "null",
        "http://localhost.evil.example:5173",
        "http://evil.localhost:5173",
        "http://evil@localhost:5173",
        "http://127.0.0.2:5173",
        "http://192.168.0.7:5173",
        "chrome-extension://localhost",
    )
    async with serve() as client:
        for page in pages:
            answer = await client.http.options("/graphql", headers=preflight(page))
            assert answer.headers["access-control-allow-origin"] == page
            posted = await client.http.post("/graphql", json=QUERY, headers={"Origin": page})
            assert posted.headers["access-control-allow-origin"] == page
        for page in others:
            assert (await client.http.options("/graphql", headers=preflight(page))).status_code == 400
    for setting in ("none", ORIGIN):
        async with serve(allowed_origins=setting) as client:
            for page in pages:
                assert (await client.http.options("/graphql", headers=preflight(page))).status_code == 400


@on_sqlite
async def test_a_preflight_that_is_refused_names_the_setting_and_logs_it_once_a_minute(
    serve: Serve, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as client:
        for _ in range(3):
            answer = await client.http.options("/graphql", headers=preflight())
            assert answer.status_code == 400
            assert f"MARGINALIA_ALLOWED_ORIGINS={ORIGIN}" in answer.text
        (line,) = log.of("preflight refused")
        assert (line["origin"], line["level"]) == (ORIGIN, "warning")
        assert line["hint"].endswith(f"MARGINALIA_ALLOWED_ORIGINS={ORIGIN}")
        monkeypatch.setattr(origins, "HINT_INTERVAL_S", 0.0)
        await client.http.options("/graphql", headers=preflight("null"))
        assert [line["unlogged"] for line in log.of("preflight refused")] == [0, 2]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://localhost:5173", ["http://localhost:5173"]),
        (" http://localhost:5173/ , https://Editor.Example ", ["http://localhost:5173", "https://editor.example"]),
        ("https://a.example https://b.example,", ["https://a.example", "https://b.example"]),
        ('["https://a.example", "https://b.example/"]', ["https://a.example", "https://b.example"]),
        ("loopback,https://a.example", ["loopback", "https://a.example"]),
        ("none", ["none"]),
        ("[]", []),
        ("tauri://localhost", ["tauri://localhost"]),
    ],
)
def test_the_origins_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch, given: str, expected: list[str]) -> None:
    monkeypatch.setenv("MARGINALIA_ALLOWED_ORIGINS", given)

    assert Settings(_env_file=None).allowed_origins == expected


@pytest.mark.parametrize(
    "given",
    ["localhost:5173", "http://localhost:5173/app", "*", "https://*.example", "[", "[" * 100_000, '["x"]', "null"],
)
def test_an_origin_that_is_none_is_explained_by_an_example(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("MARGINALIA_ALLOWED_ORIGINS", given)

    with pytest.raises(ValidationError, match="MARGINALIA_ALLOWED_ORIGINS=http://localhost:5173,https://editor"):
        Settings(_env_file=None)


def test_the_command_line_says_so_in_one_line() -> None:
    ran = run("serve", env=environment(allowed_origins="localhost:5173"))

    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert line.startswith("marginalia: MARGINALIA_ALLOWED_ORIGINS: ")
    assert "'localhost:5173'" in line
    assert "MARGINALIA_ALLOWED_ORIGINS=http://localhost:5173" in line


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_process(f"sqlite:///{tmp_path_factory.mktemp('origins')}/marginalia.db") as running:
        yield running


async def test_a_page_of_this_machine_may_open_a_socket_and_no_other_page(server: Server) -> None:
    for page in (PAGE, "http://127.0.0.1:3000", server.address):
        async with socket(server.address, origin=page) as ours:
            assert await ours.result("a", QUERY["query"]) == ANSWER
    for page in (ORIGIN, "null", "http://evil.localhost:5173", "http://evil@127.0.0.1", "tauri://localhost"):
        with pytest.raises(InvalidStatus) as refused:
            async with socket(server.address, origin=page):
                pass
        response = refused.value.response
        assert response.status_code == 403
        assert b"MARGINALIA_ALLOWED_ORIGINS" in response.body
        await asyncio.sleep(0)


def test_an_origin_is_ours_by_its_host_and_port_whatever_its_scheme() -> None:
    none = AllowedOrigins()
    assert none.allows_socket(None, "localhost:8000")
    assert none.allows_socket("http://localhost:8000", "localhost:8000")
    assert none.allows_socket("https://localhost", "localhost")  # behind a proxy that ends TLS
    for origin in ("http://localhost:5173", "http://evil@localhost:8000", "ftp://localhost:8000", "null", ""):
        assert not none.allows_socket(origin, "localhost:8000")
    assert AllowedOrigins(["http://localhost:5173"]).allows_socket("http://localhost:5173", "127.0.0.1:8000")
