"""Requests that no client should send: each gets an answer that says so, and leaves the log in peace."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from marginalia import uploads
from marginalia.transports.request import MOST_BESIDE_TEXTS, MOST_TEXTS
from marginalia.uploads import LARGEST_UPLOAD
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.edge.sockets import SECONDS
from tests.support.client import Served
from tests.support.processes import Server, running_process

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

QUERY = "{ __typename }"
CREATE = 'mutation { createDocument(title: "By the back door") { __typename } }'
TITLES = "{ documents { edges { node { title } } } }"
LONG = "9" * 100_000


@pytest.fixture(autouse=True)
def nothing_to_look_at(log: Log) -> Iterator[None]:
    """Insist that what a client does wrong is no news for who reads the log."""
    yield
    assert log.complaints() == []


def with_variables(source: str) -> str:
    return '{"query": "{ __typename }", "variables": {"a": ' + source + "}}"


def refusal(response: httpx.Response) -> str:
    """Insist on an answer in the form of GraphQL's errors, and return its text."""
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "BAD_REQUEST"}
    message: str = error["message"]
    assert message
    return message


async def send(client: Served, body: str | bytes, content_type: str | None = "application/json") -> httpx.Response:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return await client.http.post("/graphql", content=body, headers=headers)


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="half a brace"),
        pytest.param("5", id="a number"),
        pytest.param('"x"', id="a string"),
        pytest.param("[]", id="a list"),
        pytest.param('[{"query": "{ __typename }"}]', id="a batch"),
        pytest.param("null", id="null"),
        pytest.param("true", id="true"),
        pytest.param(b'{"query": "\xff"}', id="invalid UTF-8"),
        pytest.param(b'{"query": "\xed\xa0\x80"}', id="a surrogate in UTF-8"),
        pytest.param('{"query": "{ __typename }"}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"query": "{ __typename }"}'.encode("utf-8-sig"), id="a byte order mark"),
        pytest.param(with_variables("NaN"), id="NaN"),
        pytest.param(with_variables("-Infinity"), id="minus infinity"),
        pytest.param(with_variables(LONG), id="a number of 100,000 digits"),
        pytest.param("[" * 10_000, id="10,000 brackets"),
        pytest.param(with_variables("[" * 10_000 + "]" * 10_000), id="lists 10,000 deep"),
        pytest.param(with_variables('{"a":' * 10_000 + "1" + "}" * 10_000), id="objects 10,000 deep"),
        pytest.param("{}", id="no query"),
        pytest.param('{"query": null}', id="null for a query"),
        pytest.param('{"query": ""}', id="an empty query"),
        pytest.param('{"query": 5}', id="a number for a query"),
        pytest.param('{"query": "{ __typename }", "operationName": 5}', id="a number for a name"),
        pytest.param('{"query": "{ __typename }", "variables": "x"}', id="a string for the variables"),
        pytest.param('{"query": "{ __typename }", "variables": []}', id="a list for the variables"),
        pytest.param('{"query": "{ __typename }", "extensions": 5}', id="a number for the extensions"),
    ],
)
async def test_a_body_that_is_no_request_is_refused(client: Served, body: str | bytes) -> None:
    response = await send(client, body)

    assert response.status_code == 400
    assert refusal(response)


@on_sqlite
@pytest.mark.parametrize(
    ("variables", "status"),
    [
        pytest.param(json.dumps('["word", {}], ' * 300_000), 200, id="a long text of brackets and quotes"),
        pytest.param("[" + "[]," * (MOST_BESIDE_TEXTS // 3 - 100) + "[]]", 200, id="as many lists as there may be"),
        pytest.param("[" + "[]," * (MOST_BESIDE_TEXTS // 3) + "[]]", 400, id="too many lists"),
        pytest.param("[" + '"",' * (MOST_TEXTS - 100) + " " * 150_000 + '""]', 200, id="as many texts as there may be"),
        pytest.param("[" + '"",' * MOST_TEXTS + " " * 150_000 + '""]', 400, id="too many texts"),
        pytest.param('"' + "\\" * 200_001, 400, id="a text that does not end"),
    ],
)
async def test_a_long_body_is_long_for_its_texts(client: Served, variables: str, status: int) -> None:
    response = await send(client, with_variables(variables))

    assert response.status_code == status
    if status == 400:
        refusal(response)


@on_sqlite
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("\0", "GRAPHQL_PARSE_FAILED"),
        ("\ud800", "GRAPHQL_PARSE_FAILED"),
        ('{ node(id: "\ud800") { id } }', "GRAPHQL_PARSE_FAILED"),
        ("{ }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ __typename } { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query A { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { x }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ document { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ document(id: 1) }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ node(id: 1e400) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        (f"{{ documents(first: {LONG[:5000]}) {{ __typename }} }}", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($a: Nothing) { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("type A { b: C }", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($a: ID!) { node(id: $a) { id } }", "BAD_USER_INPUT"),
        ("query A { __typename } query B { __typename }", "OPERATION_RESOLUTION_FAILURE"),
        ("fragment A on Query { __typename }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_a_query_that_is_none_gets_errors(client: Served, query: str, code: str) -> None:
    response = await send(client, json.dumps({"query": query}))

    assert response.status_code == 200
    answer = response.json()
    assert "data" not in answer
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}


@on_sqlite
@pytest.mark.parametrize("name", ["Other", "\ud800", " "])
async def test_the_name_of_no_operation_is_an_error(client: Served, name: str) -> None:
    response = await send(client, json.dumps({"query": QUERY, "operationName": name}))

    assert response.status_code == 200
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "OPERATION_RESOLUTION_FAILURE"}


@on_sqlite
@pytest.mark.parametrize("number", ["1e400", "-1e400", "1.5", LONG[:4000]])
async def test_a_number_that_is_no_int_gets_an_error(client: Served, number: str) -> None:
    query = '"query ($first: Int) { documents(first: $first) { __typename } }"'
    response = await send(client, f'{{"query": {query}, "variables": {{"first": {number}}}}}')

    assert response.status_code == 200
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@on_sqlite
async def test_of_a_key_that_stands_twice_the_last_counts(client: Served) -> None:
    response = await send(client, '{"query": "{ a: __typename }", "query": "{ b: __typename }"}')

    assert response.json() == {"data": {"b": "Query"}}


@on_sqlite
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        " ",
        "text/plain",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/json; charset*=x",
        "application/json; charset",
    ],
)
async def test_a_body_of_another_kind_is_refused(client: Served, content_type: str | None) -> None:
    response = await send(client, json.dumps({"query": CREATE}), content_type)

    assert response.status_code == 415
    assert refusal(response)
    assert await client(TITLES) == {"documents": {"edges": []}}


@on_sqlite
@pytest.mark.parametrize(
    "kinds",
    [
        ("text/plain", "application/json"),
        ("application/json", "text/plain"),
        ("application/json; profile=x", "text/plain"),
        ("application/json", "application/json"),
    ],
)
async def test_a_body_of_two_kinds_is_refused(client: Served, kinds: tuple[str, str]) -> None:
    headers = [("Content-Type", kind) for kind in kinds]

    response = await client.http.post("/graphql", content=json.dumps({"query": CREATE}), headers=headers)

    assert response.status_code == 415
    assert await client(TITLES) == {"documents": {"edges": []}}


@on_sqlite
@pytest.mark.parametrize(("piece", "whole"), [(0.1, 60), (60, 0.3)], ids=["a piece", "the whole"])
async def test_a_body_that_does_not_end_is_refused(
    client: Served, monkeypatch: pytest.MonkeyPatch, piece: float, whole: float
) -> None:
    monkeypatch.setattr(uploads, "PIECE_TIMEOUT_S", piece)
    monkeypatch.setattr(uploads, "UPLOAD_TIMEOUT_S", whole)

    async def trickle() -> AsyncIterator[bytes]:
        for number in itertools.count(1):
            yield b" "
            await asyncio.sleep(0.02 * number)

    headers = {"Content-Type": "application/json"}
    async with asyncio.timeout(SECONDS):
        response = await client.http.post("/graphql", content=trickle(), headers=headers)

    assert response.status_code == 408
    assert refusal(response)


@on_sqlite
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json;; profile=x; =",
    ],
)
async def test_json_is_read_however_it_is_announced(client: Served, content_type: str) -> None:
    response = await send(client, json.dumps({"query": QUERY}), content_type)

    assert response.json() == {"data": {"__typename": "Query"}}


@on_sqlite
async def test_a_query_can_be_asked_by_get(client: Served) -> None:
    variables = json.dumps({"id": "doc_none"})
    query = "query Find($id: ID!) { document(id: $id) { id } }"

    response = await client.http.get(
        "/graphql",
        params={"query": query, "variables": variables, "operationName": "Find"},
        headers={"GraphQL-Require-Preflight": "1"},
    )

    assert response.json() == {"data": {"document": None}}


@on_sqlite
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"query": ""},
        {"query": QUERY, "variables": "x"},
        {"query": QUERY, "variables": "[]"},
        {"query": QUERY, "variables": "[" * 5_000},
        {"query": QUERY, "extensions": "5"},
        {"query": QUERY, "extensions": "{"},
    ],
)
async def test_a_get_that_is_no_query_is_refused(client: Served, parameters: dict[str, str]) -> None:
    response = await client.http.get("/graphql", params=parameters)

    assert response.status_code == 400
    assert refusal(response)


@on_sqlite
async def test_a_mutation_by_get_is_refused_and_runs_nothing(client: Served) -> None:
    response = await client.http.get("/graphql", params={"query": CREATE})

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert refusal(response)
    assert await client(TITLES) == {"documents": {"edges": []}}


@on_sqlite
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"])
async def test_other_methods_are_refused(client: Served, method: str) -> None:
    response = await client.http.request(method, "/graphql", json={"query": CREATE})

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    assert await client(TITLES) == {"documents": {"edges": []}}


@on_sqlite
@pytest.mark.parametrize("path", ["/nothing", "/graphql/x", "/graphiql/assets/", "/graphiql/assets/%2e%2e/index.html"])
async def test_an_unknown_path_is_not_found(client: Served, path: str) -> None:
    response = await client.http.get(path)

    assert response.status_code == 404


@on_sqlite
@pytest.mark.parametrize(
    "host", ["", "example.com", "127.0.0.1.example.com", "localhost.x", "a b", "[::2]:8000", "::1"]
)
async def test_a_request_that_was_led_here_by_another_name_is_refused(client: Served, host: str) -> None:
    response = await client.http.post("/graphql", json={"query": QUERY}, headers={"Host": host})

    assert response.status_code == 400


@on_sqlite
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]", "[::1]:8000"])
async def test_this_machine_is_served_by_all_its_names(client: Served, host: str) -> None:
    response = await client.http.post("/graphql", json={"query": QUERY}, headers={"Host": host})

    assert response.json() == {"data": {"__typename": "Query"}}


@on_sqlite
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit_is_refused(serve: Serve, announced: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    body = b" " * 2_000 if announced else pieces()
    async with serve(max_body_bytes=1_500) as client:
        response = await client.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})

    assert ("content-length" in response.request.headers) is announced
    assert response.status_code == 413
    assert "1,500 bytes" in refusal(response)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_process(f"sqlite:///{tmp_path_factory.mktemp('server')}/marginalia.db") as running:
        yield running


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_client_may_go_away_in_the_middle_of_its_body(server: Server, framing: str) -> None:
    address = urlsplit(server.address)
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port)) as caller:
            head = (
                f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{framing}\r\n\r\n5\r\n"
            )
            caller.sendall(head.encode() + b'{"qu')

    assert httpx.post(f"{server.address}/graphql", json={"query": QUERY}).json() == {"data": {"__typename": "Query"}}
    assert not [line for line in server.log.splitlines() if json.loads(line)["level"] != "info"]


def test_a_body_over_the_limit_is_refused_while_it_is_being_sent(server: Server) -> None:
    response = httpx.post(
        f"{server.address}/graphql",
        content=b" " * (LARGEST_UPLOAD + 1_000_000),
        headers={"Content-Type": "application/json"},
    )

    assert response.status_code == 413
