"""The status of an answer, in both forms and by both profiles."""

import pytest

from marginalia.transports.content_negotiation import GRAPHQL, JSON
from tests.conftest import Serve
from tests.support.client import Served

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

QUERY = "{ __typename }"

CASES = [
    pytest.param({"query": QUERY}, 200, 200, id="all well"),
    pytest.param(
        {"query": "{ a: __typename documents(first: -1) { __typename } }"}, 200, 294, id="an error in a field"
    ),
    pytest.param({"query": "{ documents(first: -1) { __typename } }"}, 200, 294, id="nothing but an error"),
    pytest.param({"query": "{"}, 400, 400, id="does not parse"),
    pytest.param({"query": "{ nothing }"}, 400, 422, id="is not valid"),
    pytest.param({"query": "{a" * 30 + "}" * 30}, 400, 422, id="is too deep"),
    pytest.param({"query": QUERY, "operationName": "Other"}, 400, 422, id="names no operation"),
    pytest.param({"query": "query ($a: ID!) { node(id: $a) { id } }"}, 400, 422, id="lacks a variable"),
    pytest.param({"documentId": "none"}, 400, 422, id="names no document"),
]
ILL_FORMED = [{"qeury": QUERY}, {"query": QUERY, "variables": [7]}, 5]


async def statuses(client: Served, body: object) -> tuple[int, int]:
    answers = [await client.http.post("/graphql", json=body, headers={"Accept": form}) for form in (GRAPHQL, JSON)]
    for answer, form in zip(answers, (GRAPHQL, JSON), strict=True):
        assert answer.headers["content-type"] == f"{form}; charset=utf-8"
    return answers[0].status_code, answers[1].status_code


@pytest.mark.parametrize(("body", "audited", "draft"), CASES)
async def test_the_status_tells_how_far_it_came(serve: Serve, body: object, audited: int, draft: int) -> None:
    async with serve() as client:
        assert await statuses(client, body) == (audited, 200)
    async with serve(status_codes="draft") as client:
        assert await statuses(client, body) == (draft, 200)


async def test_what_is_no_request_is_told_apart(serve: Serve) -> None:
    async with serve() as client, serve(status_codes="draft") as draft:
        for body in ILL_FORMED:
            assert await statuses(client, body) == (400, 400)
            assert await statuses(draft, body) == (422, 422)
        for each in (client, draft):
            response = await each.http.post("/graphql", content="{", headers={"Content-Type": JSON})
            assert response.status_code == 400
            long = await each.http.get("/graphql", params={"query": QUERY + " " * 20_000})
            assert long.status_code == 414
