"""Pages elsewhere: whatever a browser sends for them without asking first runs nothing and changes nothing."""

import json

import pytest
from pydantic import ValidationError

from tests.conftest import Serve
from tests.support.client import Served
from tests.support.counting import counted

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CREATE = 'mutation { createDocument(title: "By the back door") { __typename } }'
TITLES = "{ documents { edges { node { title } } } }"
BODY = json.dumps({"query": CREATE})
ORIGIN = "https://editor.example"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", BODY),
        ("text/plain; charset=utf-8", BODY),
        ("text/plain; application/json", BODY),
        ("application/x-www-form-urlencoded", f"query={CREATE}"),
        ("application/x-www-form-urlencoded", BODY),
        ("multipart/form-data; boundary=x", f'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{BODY}'),
        (None, BODY),
    ],
)
async def test_a_simple_post_is_refused(client: Served, content_type: str | None, body: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    with counted(client.database) as statements:
        response = await client.http.post("/graphql", content=body, headers={"Origin": ORIGIN, **headers})

    assert response.status_code == 415
    assert statements == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "application/json"},
        {"Content-Type": "text/plain"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": ORIGIN},
        {"Accept": "text/event-stream"},
    ],
)
@pytest.mark.parametrize("query", [TITLES, 'subscription { sectionChatOpened(docId: "doc_a") { chat { id } } }'])
async def test_a_get_without_a_header_reads_nothing(client: Served, headers: dict[str, str], query: str) -> None:
    with counted(client.database) as statements:
        response = await client.http.get("/graphql", params={"query": query}, headers=headers)

    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "CSRF"
    assert statements == []


@pytest.mark.parametrize(
    "headers",
    [
        {"GraphQL-Require-Preflight": "1"},
        {"Apollo-Require-Preflight": "true"},
        {"X-Apollo-Operation-Name": "Titles"},
        {"X-Requested-With": "x"},
        {"Content-Type": "application/json"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_a_get_with_a_header_that_no_page_can_send_is_answered(client: Served, headers: dict[str, str]) -> None:
    response = await client.http.get("/graphql", params={"query": TITLES}, headers=headers)

    assert response.json() == {"data": {"documents": {"edges": []}}}


async def test_what_the_schema_says_about_itself_is_told_to_all(client: Served) -> None:
    for query in (
        "{ __typename }",
        '{ __type(name: "Query") { name } }',
        "{ ...A } fragment A on Query { __typename }",
    ):
        assert "data" in (await client.http.get("/graphql", params={"query": query})).json()
    mixed = "{ __typename ...A } fragment A on Query { documents { __typename } }"
    assert (await client.http.get("/graphql", params={"query": mixed})).status_code == 400


@pytest.mark.parametrize("headers", [{}, {"GraphQL-Require-Preflight": "1"}])
async def test_no_mutation_goes_by_get(client: Served, headers: dict[str, str]) -> None:
    with counted(client.database) as statements:
        for accept in ("application/json", "text/event-stream"):
            response = await client.http.get(
                "/graphql", params={"query": CREATE}, headers={"Accept": accept, **headers}
            )
            assert (response.status_code, response.headers["allow"]) == (405, "POST")

    assert statements == []


PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,graphql-require-preflight",
}


async def test_no_other_origin_is_allowed_by_default(client: Served) -> None:
    response = await client.http.options("/graphql", headers=PREFLIGHT)
    assert response.status_code == 400
    answer = await client.http.post("/graphql", json={"query": TITLES}, headers={"Origin": ORIGIN})
    for each in (response, answer):
        assert not [name for name in each.headers if name.startswith("access-control")]


@pytest.mark.parametrize("given", [f"{ORIGIN}/", f"{ORIGIN}:443", "HTTPS://Editor.Example"])
async def test_an_origin_may_be_written_in_other_ways_than_browsers_do(serve: Serve, given: str) -> None:
    async with serve(allowed_origins=[given]) as client:
        answer = await client.http.post("/graphql", json={"query": TITLES}, headers={"Origin": ORIGIN})

    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize(
    "given",
    [
        "*",
        "null",
        "",
        "editor.example",
        "//editor.example",
        "https://",
        "https://*.example",
        "https://editor.example/path",
        "https://editor.example?a",
        "https://editor.example#a",
        "https://me@editor.example",
        "https://editor.example:http",
        "https://editor.example:70000",
        "https://editor.example, https://other.example",
    ],
)
async def test_what_is_no_origin_is_no_setting(serve: Serve, given: str) -> None:
    with pytest.raises(ValidationError, match="not an origin"):
        async with serve(allowed_origins=[given]):
            pass


async def test_a_page_elsewhere_may_say_of_which_trace_its_request_is_a_part(serve: Serve) -> None:
    asked = {**PREFLIGHT, "Access-Control-Request-Headers": "content-type,traceparent,tracestate"}
    async with serve(allowed_origins=[ORIGIN]) as client:
        assert (await client.http.options("/graphql", headers=asked)).status_code == 200


async def test_the_origins_that_are_named_are_allowed_and_no_others(serve: Serve) -> None:
    async with serve(allowed_origins=[ORIGIN]) as client:
        allowed = await client.http.options("/graphql", headers=PREFLIGHT)
        answer = await client.http.post("/graphql", json={"query": TITLES}, headers={"Origin": ORIGIN})
        other = await client.http.options("/graphql", headers={**PREFLIGHT, "Origin": "https://evil.example"})

    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "graphql-require-preflight" in allowed.headers["access-control-allow-headers"].lower()
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert {name.strip() for name in answer.headers["vary"].split(",")} == {"Accept", "Origin"}
    assert other.status_code == 400
    assert "access-control-allow-origin" not in other.headers
