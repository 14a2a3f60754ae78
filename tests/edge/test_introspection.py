"""The schema as a secret: off means off, in answers and in errors."""

import pytest
from graphql import get_introspection_query

from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.support.client import Client

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MISTAKES = [
    "{ documentz { __typename } }",
    '{ document(id: "doc_a") { titel } }',
    '{ document(id: "doc_a") { ... on Sektion { id } } }',
    '{ document(idd: "doc_a") { id } }',
    "query ($a: Dokument) { __typename }",
    "fragment A on Documents { id } { ...A }",
]
VARIABLES = ("query ($first: Int) { documents(first: $first) { __typename } }", {"first": "many"})


async def test_introspection_can_be_switched_off(serve: Serve) -> None:
    async with serve(introspection=False) as client:
        for query in (
            get_introspection_query(),
            "{ __schema { types { name } } }",
            '{ __type(name: "Query") { name } }',
            '{ ...A } fragment A on Query { a: __type(name: "Query") { name } }',
        ):
            answer = await client.result(query)
            assert "data" not in answer
            assert {error["extensions"]["code"] for error in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}
        assert await client("{ __typename documents { __typename edges { cursor } } }")


@pytest.mark.parametrize("settings", [{"introspection": False}, {"suggestions": False}])
async def test_errors_then_suggest_nothing(serve: Serve, settings: dict[str, bool]) -> None:
    async with serve(**settings) as client:
        for query in MISTAKES:
            answer = await client.result(query)
            assert "Did you mean" not in str(answer), query
        assert "Did you mean" not in str(await client.result(VARIABLES[0], **VARIABLES[1]))


async def test_they_do_otherwise(serve: Serve) -> None:
    async with serve() as client:
        suggested = [query for query in MISTAKES if "Did you mean" in str(await client.result(query))]
    assert suggested == MISTAKES


async def test_the_explorer_can_be_switched_off(serve: Serve) -> None:
    async with serve(explorer=False) as client:
        for path in ("/graphiql", "/"):
            assert (await client.http.get(path)).status_code == 404


async def test_every_type_tells_whether_it_takes_one_of_its_fields(client: Client, log: Log) -> None:
    """Also the lists and the non-null ones, of which it makes no sense; Strawberry's own answer to that is a fault."""
    told = await client("{ __schema { types { kind isOneOf fields { type { isOneOf ofType { isOneOf } } } } } }")
    kinds = {(kind["kind"], kind["isOneOf"]) for kind in told["__schema"]["types"]}
    assert ("OBJECT", None) in kinds
    assert log.complaints() == []
