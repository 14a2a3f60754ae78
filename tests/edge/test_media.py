"""The form of an answer: what a client accepts, and what the status says in each form."""

import httpx
import pytest

from marginalia.transports.content_negotiation import EVENTS, GRAPHQL, JSON, MULTIPART, Accepted, negotiate
from tests.support.client import Served

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        ("Application/GraphQL-Response+JSON; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.9", JSON),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0.5, */*;q=0.1", GRAPHQL),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"{JSON};q=0, */*", GRAPHQL),
        ("text/html, */*;q=0.8", JSON),
        ("text/html", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=none", None),
        (f"{JSON};q=nan", None),
        ("*/*;q=0", None),
        (",;=,", None),
    ],
)
def test_the_form_is_the_one_that_the_client_likes_best(accept: str | None, form: str | None) -> None:
    accepted = negotiate(accept)
    assert accepted.single == form
    assert not accepted.prefers_stream


APOLLO = f"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,{GRAPHQL},{JSON};q=0.9"
URQL = f"{GRAPHQL}, application/graphql+json, {JSON}, text/event-stream, multipart/mixed"


@pytest.mark.parametrize(
    ("accept", "single", "stream", "prefers_stream"),
    [
        (None, JSON, EVENTS, False),
        ("*/*", JSON, EVENTS, False),
        (JSON, JSON, None, False),
        (EVENTS, None, EVENTS, True),
        ("text/*", None, EVENTS, False),
        (f"{EVENTS}, {JSON};q=0.9", JSON, EVENTS, True),
        (f"{EVENTS};q=0.9, {JSON}", JSON, EVENTS, False),
        (URQL, GRAPHQL, EVENTS, False),
        ("text/event-stream, multipart/mixed", None, EVENTS, True),
        ("multipart/mixed", None, None, False),
        ('multipart/mixed;boundary="graphql";subscriptionSpec="1.0"', None, MULTIPART, True),
        (APOLLO, GRAPHQL, MULTIPART, False),
    ],
)
def test_a_stream_is_given_to_who_can_take_it(
    accept: str | None, single: str | None, stream: str | None, prefers_stream: bool
) -> None:
    assert negotiate(accept) == Accepted(single, stream, prefers_stream)


async def ask(client: Served, accept: str, query: str, **variables: object) -> httpx.Response:
    body = {"query": query, "variables": variables}
    return await client.http.post("/graphql", json=body, headers={"Accept": accept})


@on_sqlite
@pytest.mark.parametrize("form", [JSON, GRAPHQL])
async def test_an_answer_has_the_form_that_was_asked_for(client: Served, form: str) -> None:
    response = await ask(client, form, "{ __typename }")
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{form}; charset=utf-8"
    assert response.headers["vary"] == "Accept, Origin"
    assert response.json() == {"data": {"__typename": "Query"}}


@on_sqlite
async def test_what_is_accepted_may_stand_on_several_lines(client: Served) -> None:
    lines = [("Accept", EVENTS), ("Accept", f"{JSON};q=0.5"), ("Accept", f"{GRAPHQL};q=0.1")]
    for headers in (lines, lines[::-1]):
        response = await client.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        assert response.headers["content-type"].startswith(EVENTS)


@on_sqlite
@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{", {}),
        ("{ nothing }", {}),
        ("query Q($id: ID!) { document(id: $id) { id } }", {}),
        ("query Q($first: Int) { documents(first: $first) { pageInfo { endCursor } } }", {"first": "x"}),
    ],
    ids=["does not parse", "is not valid", "lacks a variable", "has a wrong variable"],
)
async def test_an_operation_that_is_never_begun_has_no_data(
    client: Served, query: str, variables: dict[str, object]
) -> None:
    for form, status in [(JSON, 200), (GRAPHQL, 400)]:
        response = await ask(client, form, query, **variables)
        assert response.status_code == status
        assert response.headers["content-type"] == f"{form}; charset=utf-8"
        assert response.json().keys() == {"errors"}


@on_sqlite
async def test_an_operation_with_an_error_in_a_field_was_begun(client: Served) -> None:
    for form in (JSON, GRAPHQL):
        response = await ask(client, form, "{ documents(first: -1) { pageInfo { endCursor } } }")
        assert response.status_code == 200
        assert response.json()["data"] == {"documents": None}


@on_sqlite
async def test_a_client_that_accepts_nothing_of_ours_is_told_what_there_is(client: Served) -> None:
    response = await ask(client, "text/html", "{ __typename }")
    assert response.status_code == 406
    assert GRAPHQL in response.json()["errors"][0]["message"]
