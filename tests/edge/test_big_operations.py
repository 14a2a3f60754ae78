"""Operations and documents of a size that nobody means: refused in good time, while others are served."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api import operations
from tests.edge.conftest import Log
from tests.support.client import Client

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


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{a" * 30_000 + "}" * 30_000, id="30,000 braces deep"),
        pytest.param("{a" * 150 + "}" * 150, id="150 braces deep"),
        pytest.param('{ node(id: "x") {' + "... on Node {" * 300 + "id" + "}" * 302, id="300 fragments deep"),
        pytest.param("{ node(id: " + "[" * 30_000 + "]" * 30_000 + ") { id } }", id="lists 30,000 deep"),
        pytest.param("{ node(id: " + "{a:" * 30_000 + "1" + "}" * 30_000 + ") { id } }", id="objects 30,000 deep"),
        pytest.param("query ($a: " + "[" * 30_000 + "Int" + "]" * 30_000 + ") { __typename }", id="a type 30,000 deep"),
        pytest.param("{" + " __typename" * 50_000 + "}", id="50,000 fields"),
        pytest.param("{" + " __typename" * 9_000 + "}", id="9,000 times the same field"),
        pytest.param("{" + " documents(first: 1) { __typename }" * 1_000 + "}", id="1,000 times the same page"),
        pytest.param("#\n" * 10_000 + "{ __typename }", id="10,000 comments"),
        pytest.param("{ __typename" + " @a" * 4_000 + "}", id="4,000 directives"),
        pytest.param(" " * 2_000_000 + "{ __typename }", id="2,000,000 blanks"),
        pytest.param('{ node(id: "' + "x" * 2_000_000 + '") { id } }', id="a string of 2,000,000 characters"),
        pytest.param("{" + "x" * 900_000 + "}", id="a name of 900,000 characters"),
        pytest.param("{ ...Nothing }", id="an unknown fragment"),
        pytest.param("{ ...A } fragment A on Query { ...A }", id="a fragment within itself"),
        pytest.param("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", id="fragments in a circle"),
        pytest.param(fragments(1_000, "...F{0}", "__typename"), id="a chain of 1,000 fragments"),
        pytest.param("fragment A on Query { __typename } " * 500 + "{ ...A }", id="500 fragments of one name"),
        pytest.param("query (" + "$a: Int, " * 2_000 + ") { __typename }", id="2,000 variables of one name"),
    ],
)
async def test_an_operation_that_nobody_means_is_refused(client: Client, query: str) -> None:
    answer = await client.result(query)

    assert "data" not in answer
    assert codes(answer) == {"BAD_REQUEST"}
    assert len(str(answer)) < 2_000_000


async def test_a_chain_of_fragments_is_followed_or_refused(client: Client) -> None:
    for count in (50, 100, 150, 160, 170, 180, 190):
        answer = await client.result(fragments(count, "...F{0}", "__typename"))
        assert answer == {"data": {"__typename": "Query"}} or codes(answer) == {"BAD_REQUEST"}


async def test_fragments_that_fan_out_cost_no_more_than_they_are_long(client: Client) -> None:
    assert await client(fragments(30, "...F{0} ...F{0}", "__typename")) == {"__typename": "Query"}


async def test_a_chain_of_fields_is_followed_or_refused(client: Client) -> None:
    document = await operations.import_document(client, "# A section")
    (section,) = await operations.section_ids(client, document)
    await operations.ensure_chat(client, document, section)
    for depth in (10, 90, 99, 200):
        chain = "chat { section { " * depth + "id" + " } }" * depth
        answer = await client.result(f'{{ section(id: "{section}") {{ {chain} }} }}')
        assert "errors" not in answer or codes(answer) == {"BAD_REQUEST"}


async def test_errors_are_not_longer_than_what_was_wrong(client: Client) -> None:
    answer = await client.result("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[[]] * 100_000)

    assert codes(answer) == {"BAD_REQUEST"}
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
