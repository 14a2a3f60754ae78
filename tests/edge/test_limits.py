"""The limits of operations: at the limit accepted, one over refused; what they cost, and for how long they may run."""

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy import func, select

from db.models import Placement
from engine.complexity import Limits
from engine.operation_cache import KEPT_CHARACTERS, OperationCache
from engine.prepared_operation import Refused
from schema.build import RULES, graphql_schema
from tests.api import operations
from tests.conftest import Serve
from tests.support.client import Served
from tests.support.counting import counted

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

COST = {"GraphQL-Cost": "report"}


def refused(answer: dict[str, Any]) -> dict[str, Any]:
    assert "data" not in answer
    (error,) = answer["errors"]
    extensions: dict[str, Any] = error["extensions"]
    return extensions


def nested(depth: int) -> str:
    """Return an operation whose fields are nested as deep."""
    assert depth % 2
    return (
        "{ "
        + 'section(id: "sec_a") { '
        + "chat { section { " * (depth // 2 - 1)
        + "chat { id"
        + " }" * (depth - 1)
        + " }"
    )


@on_sqlite
@pytest.mark.parametrize(
    ("setting", "limit", "at", "over", "code"),
    [
        ("max_tokens", 10, "{" + " __typename" * 8 + " }", "{" + " __typename" * 9 + " }", "MAX_TOKENS_EXCEEDED"),
        ("max_comments", 3, "#\n" * 3 + "{ __typename }", "#\n" * 4 + "{ __typename }", "MAX_COMMENTS_EXCEEDED"),
        (
            "max_characters",
            100,
            "{ __typename }".ljust(100),
            "{ __typename }".ljust(101),
            "MAX_CHARACTERS_EXCEEDED",
        ),
        ("max_lines", 3, "{\n__typename\n}", "{\r\n\r\n__typename\n}", "MAX_LINES_EXCEEDED"),
        ("max_name", 11, "{ __typename }", "{ x23456789012: __typename }", "MAX_NAME_LENGTH_EXCEEDED"),
        (
            "max_selections",
            3,
            "{ ...F } fragment F on Query { __typename a: __typename }",
            "{ ...F } fragment F on Query { __typename a: __typename b: __typename }",
            "MAX_SELECTIONS_EXCEEDED",
        ),
        (
            "max_fragments",
            1,
            "{ ...A } fragment A on Query { __typename }",
            "{ ...A ...B } fragment A on Query { __typename } fragment B on Query { __typename }",
            "MAX_FRAGMENTS_EXCEEDED",
        ),
        (
            "max_fragments",
            2,
            "{ ... { __typename } ... { a: __typename } }",
            "{ ... { __typename } ... { a: __typename ... { b: __typename } } }",
            "MAX_FRAGMENTS_EXCEEDED",
        ),
        ("max_depth", 5, nested(5), nested(7), "MAX_DEPTH_EXCEEDED"),
        (
            "max_list_depth",
            1,
            "{ documents { edges { cursor } } }",
            "{ documents { edges { node { sections { edges { cursor } } } } } }",
            "MAX_LIST_DEPTH_EXCEEDED",
        ),
        (
            "max_aliases",
            2,
            "{ a: __typename b: __typename c: __typename }".replace("c: ", ""),
            "{ a: __typename b: __typename c: __typename }",
            "MAX_ALIASES_EXCEEDED",
        ),
        ("max_aliases", 1, "{ __typename __typename }", "{ __typename __typename __typename }", "MAX_ALIASES_EXCEEDED"),
        (
            "max_root_fields",
            2,
            "{ ...A b: __typename } fragment A on Query { a: __typename }",
            "{ ...A b: __typename ... { c: __typename } } fragment A on Query { a: __typename }",
            "MAX_ROOT_FIELDS_EXCEEDED",
        ),
        (
            "max_directives",
            2,
            "{ ...A @skip(if: false) } fragment A on Query { __typename @skip(if: false) }",
            "{ ...A @skip(if: false) ...A } fragment A on Query { __typename @skip(if: false) }",
            "MAX_DIRECTIVES_EXCEEDED",
        ),
        (
            "max_cost",
            30,
            "{ documents(first: 10) { edges { cursor } } }",
            "{ documents(first: 11) { edges { cursor } } }",
            "MAX_COST_EXCEEDED",
        ),
    ],
)
async def test_at_the_limit_it_is_run_and_one_over_it_is_not(
    serve: Serve, setting: str, limit: int, at: str, over: str, code: str
) -> None:
    async with serve(**{setting: limit}) as client:
        assert "errors" not in await client.result(at)
        with counted(client.database) as statements:
            told = refused(await client.result(over))
        assert told["code"] == code
        if "requested" in told:
            assert (told["requested"] > limit, told["limit"]) == (True, limit)
        assert statements == []


COSTS: list[tuple[str, dict[str, Any], int]] = [
    ("{ __typename }", {}, 1),
    ("{ documents { edges { cursor } } }", {}, 50),
    ("{ documents(first: 3) { edges { node { id title } } pageInfo { endCursor } } }", {}, 24),
    ("query ($n: Int) { documents(first: $n) { edges { cursor } } }", {"n": 5}, 20),
    ("query ($n: Int) { documents(first: $n) { edges { cursor } } }", {}, 50),
    ("query ($n: Int = 7) { documents(first: $n) { edges { cursor } } }", {}, 24),
    ("query ($n: Int = 7) { documents(first: $n) { edges { cursor } } }", {"n": 0}, 10),
    ("query ($n: Int) { documents(first: $n) { edges { cursor } } }", {"n": None}, 50),
    ('{ nodes(ids: ["a", "b"]) { id } }', {}, 4),
    ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a", "b", "c"]}, 6),
    ('{ document(id: "a") { markdown } }', {}, 1001),
    ('{ ...A ...A } fragment A on Query { document(id: "a") { id title } }', {}, 6),
    ('mutation { a: removeSection(docId: "a", sectionId: "b") { __typename } }', {}, 12),
    (
        'query ($n: Int) { chatSession(id: "a") { messages(last: $n) { ...E } } }'
        " fragment E on MessageConnection { edges { node { seq content } } }",
        {"n": 4},
        43,
    ),
]


@on_sqlite
@pytest.mark.parametrize(("query", "variables", "cost"), COSTS)
async def test_the_cost_is_the_fields_that_an_answer_can_hold(
    client: Served, query: str, variables: dict[str, Any], cost: int
) -> None:
    body = {"query": query, "variables": variables}
    for _ in range(2):
        answer = (await client.http.post("/graphql", json=body, headers=COST)).json()
        assert answer["extensions"] == {"cost": {"requested": cost, "limit": 50_000}}
    assert "extensions" not in (await client.post(body)).json()


@on_sqlite
async def test_the_cost_of_a_text_follows_its_variables(serve: Serve) -> None:
    query = "query ($n: Int) { documents(first: $n) { edges { cursor } } }"
    async with serve(max_cost=109) as client:
        for n in [1, 49, 50, 1, 50, 49, *range(60)]:
            answer = await client.result(query, n=n)
            if n < 50:
                assert "errors" not in answer
            else:
                assert refused(answer) == {"code": "MAX_COST_EXCEEDED", "requested": 10 + 2 * n, "limit": 109}
        assert client.operations.misses == 1


@on_sqlite
async def test_a_variable_that_is_null_is_not_one_that_is_absent(client: Served) -> None:
    query = "query ($n: Int = 100) { documents(first: $n) { edges { cursor } } }"
    costs = []
    for variables in ({"n": None}, {}, {"n": 1}, {"n": True}, {"n": None}, {}):
        response = await client.http.post("/graphql", json={"query": query, "variables": variables}, headers=COST)
        costs.append(response.json().get("extensions", {}).get("cost", {}).get("requested"))
    assert costs == [50, 210, 12, None, 50, 210]


@on_sqlite
@pytest.mark.parametrize("n", [-1, 101, 2**31 - 1])
async def test_a_page_that_is_never_given_costs_no_more_than_the_largest(client: Served, n: int) -> None:
    answer = await client.result("query ($n: Int) { documents(first: $n) { edges { cursor } } }", n=n)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_text_is_parsed_and_validated_once(client: Served) -> None:
    query = "query A { __typename } query B { documents { edges { cursor } } }"
    for name in ("A", "B", "A", "B"):
        assert (await client.post({"query": query, "operationName": name})).json()["data"]
    for _ in range(3):
        await client.result("{ nothing }")
        await client.result("{")
    assert (client.operations.misses, client.operations.hits) == (3, 7)


@on_sqlite
async def test_what_is_remembered_has_a_bound(client: Served) -> None:
    long = " " * 190_000
    for number in range(KEPT_CHARACTERS // 190_000 + 1):
        await client(f"{{ a{number}: __typename }}{long}")
    read = client.operations.misses
    await client(f"{{ a1: __typename }}{long}")
    assert client.operations.misses == read
    await client(f"{{ a0: __typename }}{long}")
    assert client.operations.misses == read + 1


def test_what_is_wrong_with_a_text_is_remembered_without_its_tree() -> None:
    texts = OperationCache(graphql_schema(), Limits(), RULES)
    for text in ("{ nothing }", "{", "{ __typename } { __typename }", "query ($a: Nothing) { __typename }"):
        for _ in range(2):
            with pytest.raises(Refused) as refusal:
                texts.find(text)
            for error in refusal.value.errors:
                assert (error.nodes, error.__traceback__, error.__context__) == (None, None, None)
                assert error.formatted["locations"]
    for number in range(KEPT_CHARACTERS // 500 + 10):
        with pytest.raises(Refused):
            texts.find(f"{{{number}")
    assert (texts.misses, texts.hits) == (4 + KEPT_CHARACTERS // 500 + 10, 4)
    with pytest.raises(Refused):
        texts.find("{0")
    assert texts.hits == 4


@on_sqlite
async def test_an_answer_tells_of_so_many_errors(serve: Serve) -> None:
    fields = " ".join(f"a{number}: documents(first: -1) {{ __typename }}" for number in range(10))
    async with serve(max_errors=3) as client:
        answer = await client.result(f"{{ {fields} }}")
        assert [error["extensions"]["code"] for error in answer["errors"]] == [
            *["BAD_USER_INPUT"] * 3,
            "TOO_MANY_ERRORS",
        ]
        assert "7 more" in answer["errors"][-1]["message"]
        assert len((await client.result("{ " + " ".join(f"x{n}" for n in range(20)) + " }"))["errors"]) <= 4


@pytest.mark.slow
async def test_an_operation_that_takes_too_long_is_stopped_and_others_go_on(serve: Serve) -> None:
    async with serve(query_seconds=1.0, mutation_seconds=1.0, lock_timeout=20, pool_size=1) as client:
        document = await operations.import_document(client, "# A")
        async with client.database.begin() as session:  # whoever writes has to wait for this one
            await session.connection()
            started = time.monotonic()
            async with client.database.read() as reading:
                await reading.connection()  # and whoever reads for this one
                slow, quick = await asyncio.gather(
                    client.result("{ documents { edges { cursor } } }"), client.result("{ __typename }")
                )
            assert slow["data"] is None
            assert slow["errors"][0]["extensions"] == {"code": "TIMEOUT"}
            assert slow["errors"][0]["message"] == "The server could not finish in 1 s; nothing was changed"
            assert quick == {"data": {"__typename": "Query"}}
            mutation = f'mutation {{ createSection(docId: "{document}", section: {{title: "B"}}) {{ __typename }} }}'
            (late,) = (await client.result(mutation))["errors"]
            assert late["extensions"] == {"code": "TIMEOUT"}
            told = "The server could not finish in 1 s; the change may or may not have been made"
            assert late["message"] == told
            assert time.monotonic() - started < 10
        assert client.database.in_use["reading"] == 0
        # The transaction that waited for the lock has gone on since, although nobody waits for it any more.
        if running := client.database._running:
            await asyncio.wait(running)
        async with client.database.read() as reading:  # on the only connection for reading, which is free again
            assert await reading.scalar(select(func.count()).select_from(Placement)) == 2
