"""The access log: one line for each operation, whatever became of it."""

import logging
from typing import Any

import pytest

from tests.api import operations
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.support.client import Served

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_line_tells_what_was_run_and_what_it_took(client: Served, log: Log) -> None:
    document = await operations.import_document(client, "# A section")
    (section,) = await operations.section_ids(client, document)
    await operations.ensure_chat(client, document, section)
    await client(
        """mutation Hot($d: ID!, $s: ID!) {
          ensureSectionChat(docId: $d, sectionId: $s) { ... on ChatSession { section { id } document { id } } }
        }""",
        d=document,
        s=section,
    )

    line = log.of("operation")[-1]
    assert line.pop("ms") >= 0
    assert len(line.pop("request_id")) == 24
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "operation": "Hot",
        "kind": "mutation",
        "transport": "http",
        "outcome": "ok",
        "code": None,
        "statements": 1,
        "client": "127.0.0.1",
        "event": "operation",
        "logger": "marginalia.access",
        "level": "info",
    }


@on_sqlite
@pytest.mark.parametrize(
    ("query", "outcome", "code"),
    [
        ("{ __typename }", "ok", None),
        ("{", "refused", "GRAPHQL_PARSE_FAILED"),
        ("{ documents(first: -1) { __typename } }", "errors", "BAD_USER_INPUT"),
        ("query ($a: ID!) { node(id: $a) { id } }", "refused", "BAD_USER_INPUT"),
    ],
)
async def test_a_line_tells_how_it_ended(client: Served, log: Log, query: str, outcome: str, code: str | None) -> None:
    await client.result(query)

    (line,) = log.of("operation")
    assert (line["outcome"], line["code"]) == (outcome, code)


@on_sqlite
@pytest.mark.parametrize(
    ("method", "query", "status", "code"),
    [
        ("GET", 'mutation Named { createDocument(title: "A") { __typename } }', 405, "BAD_REQUEST"),
        ("GET", "query Named { documents { __typename } }", 400, "CSRF"),
        ("POST", 'subscription Named { sectionChatOpened(docId: "a") { chat { id } } }', 406, "BAD_REQUEST"),
    ],
)
async def test_what_may_not_be_run_in_the_way_it_came_has_its_line_too(
    client: Served, log: Log, method: str, query: str, status: int, code: str
) -> None:
    given: dict[str, Any] = {"params" if method == "GET" else "json": {"query": query}}
    response = await client.http.request(method, "/graphql", headers={"Accept": "application/json"}, **given)

    (line,) = log.of("operation")
    assert response.status_code == status
    assert (line["operation"], line["outcome"], line["code"]) == ("Named", "refused", code)
    assert 'name="",outcome="refused"' in (await client.http.get("/metrics")).text


@on_sqlite
@pytest.mark.parametrize("query", ["{ __typename }", "{ nothing }"])
async def test_the_time_is_that_of_reading_the_text_too(
    client: Served, log: Log, slowly_read: float, query: str
) -> None:
    await client.result(query)

    (line,) = log.of("operation")
    assert line["ms"] >= slowly_read * 1000


@on_sqlite
@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_3", True), ("a b", False), ("x" * 101, False), ("é", False)])
async def test_a_request_keeps_the_name_that_it_came_with(client: Served, log: Log, given: str, kept: bool) -> None:
    response = await client.http.post(
        "/graphql", json={"query": "{ __typename }"}, headers={b"X-Request-ID": given.encode("latin-1")}
    )

    (line,) = log.of("operation")
    assert response.headers["x-request-id"] == line["request_id"]
    assert (line["request_id"] == given) is kept


@on_sqlite
async def test_a_refused_request_has_a_name_too(client: Served, log: Log) -> None:
    response = await client.http.post("/graphql", content="{", headers={"Content-Type": "application/json"})

    (line,) = log.of("request refused")
    assert (line["status"], line["request_id"]) == (400, response.headers["x-request-id"])


@on_sqlite
async def test_nothing_is_written_where_less_is_wanted(serve: Serve, log: Log) -> None:
    logging.getLogger().setLevel("WARNING")
    async with serve() as client:
        await client("{ __typename }")

    assert log.of("operation") == []
