"""Operations and documents of a size that nobody means: refused in good time, while others are served."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import get_introspection_query

from tests.api import operations
from tests.edge.conftest import Log
from tests.support.client import Client, Served
from tests.support.counting import counted

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SECONDS = 10
"""How long any of this may take on a slow and busy machine; most of it takes milliseconds."""


@pytest.fixture(autouse=True)
def nothing_to_look_at(log: Log) -> Iterator[None]:
    """Insist on answers in good time, and that the log stays quiet."""
    started = time.monotonic()
    yield
    assert log.complaints() == []
    assert time.monotonic() - started < SECONDS


def codes(answer: dict[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in answer["errors"]}


def fragments(count: int, spread: str, end: str) -> str:
    """Return an operation with a chain of fragments, each spreading the next."""
    links = "".join(f" fragment F{n} on Query {{ {spread.format(n + 1)} }}" for n in range(count))
    return f"{{ ...F0 }}{links} fragment F{count} on Query {{ {end} }}"


def schema_twice() -> str:
    """Return the question for the schema as GraphiQL asks it, twice in one operation."""
    question = get_introspection_query()
    start, end = question.index("__schema {") + len("__schema"), question.index("fragment FullType")
    body = question[start : question.rindex("}", 0, end)]
    return f"{{ a: __schema {{ ...S }} b: __schema {{ ...S }} }} fragment S on __Schema {body} {question[end:]}"


def doubling(depth: int, end: str = "__typename") -> str:
    return fragments(depth, "...F{0} ...F{0}", end)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("{a" * 10_000 + "}" * 10_000, "MAX_DEPTH_EXCEEDED", id="10,000 braces deep"),
        pytest.param("{a" * 50 + "}" * 50, "MAX_DEPTH_EXCEEDED", id="50 braces deep"),
        pytest.param(
            "{ node(id: " + "[" * 30_000 + "]" * 30_000 + ") { id } }", "MAX_DEPTH_EXCEEDED", id="lists 30,000 deep"
        ),
        pytest.param(
            "{ node(id: " + "{a:" * 30_000 + "1" + "}" * 30_000 + ") { id } }",
            "MAX_DEPTH_EXCEEDED",
            id="objects 30,000 deep",
        ),
        pytest.param(
            "query ($a: " + "[" * 30_000 + "Int" + "]" * 30_000 + ") { __typename }",
            "MAX_DEPTH_EXCEEDED",
            id="a type 30,000 deep",
        ),
        pytest.param("{" + " __typename" * 15_000 + "}", "MAX_TOKENS_EXCEEDED", id="15,000 fields"),
        pytest.param("{" + " __typename" * 2_900 + "}", "MAX_ALIASES_EXCEEDED", id="2,900 times the same field"),
        pytest.param(
            '{ node(id: "x") {' + " id" * 2_900 + "} }", "MAX_ALIASES_EXCEEDED", id="2,900 times the same field within"
        ),
        pytest.param(
            "{" + " ".join(f"a{n}: documents {{ __typename }}" for n in range(400)) + "}",
            "MAX_ALIASES_EXCEEDED",
            id="400 aliases",
        ),
        pytest.param("{" + " ... { __typename }" * 500 + "}", "MAX_ROOT_FIELDS_EXCEEDED", id="500 inline fragments"),
        pytest.param(
            '{ section(id: "a") {' + " ... on Section { chat { id } }" * 250 + "} }",
            "MAX_FRAGMENTS_EXCEEDED",
            id="250 inline fragments of the same",
        ),
        pytest.param(
            "".join(f"query Q{n} {{ ...F0 }} " for n in range(150)) + "fragment F0 on Query { __typename }",
            "MAX_FRAGMENTS_EXCEEDED",
            id="150 operations",
        ),
        pytest.param("#\n" * 10_000 + "{ __typename }", "MAX_COMMENTS_EXCEEDED", id="10,000 comments"),
        pytest.param("{ __typename" + " @a" * 1_000 + "}", "MAX_DIRECTIVES_EXCEEDED", id="1,000 directives"),
        pytest.param(" " * 2_000_000 + "{ __typename }", "MAX_CHARACTERS_EXCEEDED", id="2,000,000 blanks"),
        pytest.param(
            '{ node(id: "' + "x" * 2_000_000 + '") { id } }', "MAX_CHARACTERS_EXCEEDED", id="a string of 2,000,000"
        ),
        pytest.param("{" + "x" * 190_000 + "}", "GRAPHQL_VALIDATION_FAILED", id="a name of 190,000 characters"),
        pytest.param("{ ...Nothing }", "GRAPHQL_VALIDATION_FAILED", id="an unknown fragment"),
        pytest.param("{ }", "GRAPHQL_VALIDATION_FAILED", id="an empty selection"),
        pytest.param('{ node(id: "x") { } }', "GRAPHQL_VALIDATION_FAILED", id="an empty selection within"),
        pytest.param(
            "{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED", id="a fragment within itself"
        ),
        pytest.param(
            "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
            "GRAPHQL_VALIDATION_FAILED",
            id="fragments in a circle",
        ),
        pytest.param(fragments(98, "...F{0}", "...F0"), "GRAPHQL_VALIDATION_FAILED", id="fragments in a circle of 99"),
        pytest.param(fragments(150, "...F{0}", "__typename"), "MAX_FRAGMENTS_EXCEEDED", id="a chain of 150 fragments"),
        pytest.param(doubling(30), "MAX_ROOT_FIELDS_EXCEEDED", id="30 levels of 2 spreads"),
        pytest.param(
            fragments(30, 'node(id: "x") {{ ...on Query {{ ...F{0} ...F{0} }} }}', "__typename"),
            "MAX_DEPTH_EXCEEDED",
            id="30 levels of 2 spreads, nested",
        ),
        pytest.param(
            "fragment A on Query { __typename } " * 90 + "{ ...A }",
            "GRAPHQL_VALIDATION_FAILED",
            id="90 fragments of one name",
        ),
        pytest.param(
            "query (" + "$a: Int, " * 500 + ") { __typename }",
            "GRAPHQL_VALIDATION_FAILED",
            id="500 variables of one name",
        ),
        pytest.param(
            schema_twice(),
            "MAX_COST_EXCEEDED",
            id="the whole schema, twice",
        ),
        pytest.param(
            fragments(12, "section(id: 1) {{ " + "chat {{ section {{ " * 28 + "...F{0}" + " }} }}" * 28 + " }}", "a"),
            "MAX_DEPTH_EXCEEDED",
            id="fields too deep for Python, over fragments",
        ),
        pytest.param(
            "{ __schema { types { fields { type { fields { type { fields { type { fields { name }}}}}}}}}}",
            "GRAPHQL_VALIDATION_FAILED",
            id="the schema within the schema",
        ),
        pytest.param(
            "{ documents(first: 100) { edges { node { sections(first: 500) { edges { node { id }}}}}}}",
            "MAX_COST_EXCEEDED",
            id="pages within pages",
        ),
    ],
)
async def test_an_operation_that_nobody_means_is_refused_before_anything_is_read(
    client: Served, query: str, code: str
) -> None:
    with counted(client.database) as statements:
        answer = await client.result(query)

    assert "data" not in answer
    assert code in codes(answer)
    assert len(str(answer)) < 500_000
    assert statements == []


async def test_the_schema_is_told_once(client: Client) -> None:
    for options in ({}, {"input_value_deprecation": True, "schema_description": True, "specified_by_url": True}):
        assert "__schema" in await client(get_introspection_query(**options))


async def test_errors_are_not_longer_than_what_was_wrong(client: Client) -> None:
    for count in (500, 100_000):
        answer = await client.result("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[[]] * count)

        assert codes(answer) == {"BAD_USER_INPUT"}
        assert len(answer["errors"]) <= 100


async def test_a_markdown_that_is_too_long_is_invalid(client: Client) -> None:
    outcome = (await client(operations.IMPORT_DOCUMENT, markdown="# A\n\n" + "word " * 1_000_000))["importDocument"]

    assert (outcome["__typename"], outcome["argument"]) == ("InvalidInput", "markdown")


async def test_a_markdown_of_too_many_headings_is_invalid(client: Client) -> None:
    outcome = (await client(operations.IMPORT_DOCUMENT, markdown="# A\n" * 100_000))["importDocument"]

    assert (outcome["__typename"], outcome["argument"]) == ("InvalidInput", "markdown")


async def test_others_are_served_while_a_long_markdown_is_taken_apart(client: Client) -> None:
    importing = asyncio.create_task(client(operations.IMPORT_DOCUMENT, markdown="# A\n\ntext\n\n" * 20_000))
    waits = []
    while not importing.done():
        started = time.monotonic()
        await client("{ __typename }")
        waits.append(time.monotonic() - started)
        await asyncio.sleep(0.01)

    assert (await importing)["importDocument"]["__typename"] == "InvalidInput"
    assert len(waits) > 5
    assert max(waits) < 2
