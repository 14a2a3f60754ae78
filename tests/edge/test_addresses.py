"""Addresses: what a URL may look like, with a slash at its end, with empty parameters, or typed by a person."""

import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from marginalia.app import create_app
from marginalia.settings import Settings
from tests.conftest import Serve
from tests.support.client import Served

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

QUERY = "{ __typename }"
ANSWER = {"data": {"__typename": "Query"}}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize("name", ["operationName", "variables", "extensions", "documentId"])
async def test_an_empty_parameter_of_a_url_is_left_out(client: Served, name: str) -> None:
    response = await client.http.get("/graphql", params={"query": QUERY, name: ""})

    assert response.json() == ANSWER


async def test_all_parameters_but_the_query_may_be_empty(client: Served) -> None:
    url = "/graphql?query=query+A%7B__typename%7D&operationName=&variables=&extensions=&documentId=&query2="

    assert (await client.http.get(url)).json() == ANSWER


@pytest.mark.parametrize("url", ["/graphql?query=", "/graphql?query=&documentId=", "/graphql?documentId=", "/graphql"])
async def test_a_url_in_which_nothing_is_asked_is_refused(client: Served, url: str) -> None:
    response = await client.http.get(url)

    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


async def test_an_id_needs_no_query_beside_it(client: Served) -> None:
    for url in ("/graphql?documentId=sha256:0&query=", "/graphql?documentId=sha256:0"):
        (error,) = (await client.http.get(url)).json()["errors"]
        assert error["extensions"]["code"] == "PERSISTED_DOCUMENT_NOT_FOUND"


@pytest.mark.parametrize("name", ["operationName", "documentId"])
async def test_a_name_or_an_id_that_is_empty_in_json_is_left_out(client: Served, name: str) -> None:
    assert (await client.post({"query": "query A { __typename }", name: ""})).json() == ANSWER


async def test_an_empty_name_does_not_choose_among_operations(client: Served) -> None:
    two = {"query": "query A { __typename } query B { __typename }", "operationName": ""}

    (error,) = (await client.post(two)).json()["errors"]

    assert error["extensions"]["code"] == "OPERATION_RESOLUTION_FAILURE"


@pytest.mark.parametrize("path", ["/graphql/", "/graphql"])
async def test_an_address_is_served_with_a_slash_at_its_end(client: Served, path: str) -> None:
    posted = await client.http.post(path, json={"query": QUERY})
    asked = await client.http.get(path, params={"query": QUERY})

    assert (posted.json(), asked.json()) == (ANSWER, ANSWER)
    for method in ("HEAD", "OPTIONS", "PUT"):
        response = await client.http.request(method, path)
        assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("path", ["/graphiql/", "/livez/", "/readyz/", "/metrics/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_every_address_is_served_with_a_slash_at_its_end(client: Served, path: str, method: str) -> None:
    assert (await client.http.request(method, path, follow_redirects=True)).status_code == 200


@pytest.mark.parametrize("path", ["/graphql//", "/graphiql/assets", "/none/"])
async def test_no_address_leads_to_another_one(client: Served, path: str) -> None:
    assert (await client.http.post(path, json={"query": QUERY})).status_code in (404, 405)
    assert (await client.http.get(path)).status_code == 404


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
async def test_under_a_prefix_all_works_and_nothing_leaves_it(database_url: str, prefix: str, path: str) -> None:
    app = create_app(Settings(_env_file=None, database_url=database_url))
    outer = Starlette(routes=[Mount(prefix or "/", app)])
    transport = httpx.ASGITransport(outer)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", follow_redirects=True) as http,
    ):
        assert (await http.post(prefix + path, json={"query": QUERY})).json() == ANSWER
        for address in (f"{prefix}{path}", f"{prefix}/"):
            page = await http.get(address, headers={"Accept": BROWSER})
            assert (page.status_code, page.url.path) == (200, f"{prefix}/graphiql")
            assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("accept", [BROWSER, "text/html", "text/html;q=0.9, application/json;q=0.5"])
async def test_a_browser_is_led_to_the_explorer(client: Served, accept: str) -> None:
    response = await client.http.get("/graphql", headers={"Accept": accept})

    assert (response.status_code, response.headers["location"]) == (303, "graphiql")
    assert response.headers["vary"].startswith("Accept")


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json, text/html", "text/html, */*", "text/*", "text/html;q=0, application/json"]
)
async def test_who_takes_an_answer_as_gladly_gets_one(client: Served, accept: str) -> None:
    response = await client.http.get("/graphql", params={"query": QUERY}, headers={"Accept": accept})

    assert response.status_code == 200
    assert json.loads(response.text.removeprefix(":\n\nevent: next\ndata: ").split("\n")[0]) == ANSWER


async def test_a_post_is_led_nowhere(client: Served) -> None:
    posted = await client.http.post("/graphql", json={"query": QUERY}, headers={"Accept": BROWSER})
    assert posted.json() == ANSWER
    assert (await client.http.post("/graphql", json={}, headers={"Accept": "text/html"})).status_code == 406


async def test_without_the_explorer_a_browser_is_told_what_there_is(serve: Serve) -> None:
    async with serve(explorer=False) as client:
        assert (await client.http.get("/graphql", headers={"Accept": "text/html"})).status_code == 406
        asked = await client.http.get("/graphql", params={"query": QUERY}, headers={"Accept": BROWSER})
        assert asked.json() == ANSWER
