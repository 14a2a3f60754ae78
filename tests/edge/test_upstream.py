"""Upstream: what libraries do that we work around, one test each; when one fails, a workaround can go."""

from typing import Any

import httpx
import pytest
import strawberry
from graphql import GraphQLSyntaxError, parse, specified_rules, validate
from strawberry.asgi import GraphQL
from strawberry.extensions import QueryDepthLimiter
from strawberry.http.streaming import SSETransport

from schema.build import build_schema
from schema.measures import Limits
from schema.operations import Operations, Refused

SCHEMA = build_schema()._schema


@strawberry.type
class Query:
    @strawberry.field
    def a(self) -> int:
        return 1


def plain(**options: Any) -> httpx.AsyncClient:
    """Return a client of Strawberry's own view."""
    view: GraphQL[Any, None] = GraphQL(strawberry.Schema(Query, **options))
    return httpx.AsyncClient(transport=httpx.ASGITransport(view), base_url="http://localhost")


@pytest.mark.parametrize(
    ("text", "limits", "sentence", "code"),
    [
        ("{ a a a }", Limits(tokens=3), "more than 3 tokens. Parsing aborted.", "MAX_TOKENS_EXCEEDED"),
        ("#\n#\n{ a }", Limits(comments=1), "more than 1 comments. Parsing aborted.", "MAX_COMMENTS_EXCEEDED"),
        ("{a" * 250 + "}" * 250, Limits(), "nested too deeply. Parsing aborted.", "MAX_DEPTH_EXCEEDED"),
    ],
)
def test_the_limits_of_the_parser_are_told_apart_by_its_sentences(
    text: str, limits: Limits, sentence: str, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        Operations(SCHEMA, limits).find(text)
    (error,) = refused.value.errors
    assert isinstance(error, GraphQLSyntaxError)
    assert error.message.endswith(sentence)
    assert refused.value.code == code


def test_graphql_core_reads_an_empty_selection() -> None:
    assert validate(SCHEMA, parse("{ }"), specified_rules) == []


def test_graphql_core_quotes_a_number_that_python_cannot_read() -> None:
    (error,) = validate(SCHEMA, parse(f"{{ documents(first: {'9' * 5_000}) {{ __typename }} }}"), specified_rules)
    assert isinstance(error.original_error, ValueError)
    assert len(error.message) > 5_000


async def test_strawberrys_view_breaks_on_a_body_that_is_no_object() -> None:
    async with plain() as client:
        with pytest.raises(AttributeError):
            await client.post("/", content="5", headers={"Content-Type": "application/json"})


async def test_strawberrys_view_does_not_know_the_media_type_of_graphql() -> None:
    async with plain() as client:
        response = await client.post(
            "/", json={"query": "{ nothing }"}, headers={"Accept": "application/graphql-response+json"}
        )
    assert response.headers["content-type"] == "application/json"
    assert response.status_code == 200
    assert response.json()["data"] is None


async def test_strawberrys_view_answers_a_query_by_get_to_any_page() -> None:
    async with plain() as client:
        assert (await client.get("/", params={"query": "{ a }"})).json() == {"data": {"a": 1}}


async def test_strawberrys_depth_limiter_breaks_on_an_unknown_fragment() -> None:
    schema = strawberry.Schema(Query, extensions=[lambda: QueryDepthLimiter(max_depth=3)])
    result = await schema.execute("{ ...Nothing }")
    assert isinstance((result.errors or [])[0].original_error, KeyError)


def test_strawberry_frames_events_with_crlf() -> None:
    assert "\r\n" in SSETransport().encode_next({"data": {}}, lambda _: "{}")
