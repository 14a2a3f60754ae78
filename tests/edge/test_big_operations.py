"""Operations and documents of a size that nobody means: refused in good time, while others are served."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import get_introspection_query

from tests.api import operations
from tests.edge.big_operations import HOSTILE
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


@pytest.mark.parametrize("name", HOSTILE)
async def test_an_operation_that_nobody_means_is_refused_before_anything_is_read(client: Served, name: str) -> None:
    query, code = HOSTILE[name]
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
    for count in (500, 40_000):
        answer = await client.result("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[[]] * count)

        assert codes(answer) == {"BAD_USER_INPUT"}
        assert len(answer["errors"]) <= 100


async def test_a_markdown_that_is_too_long_is_invalid(client: Client) -> None:
    outcome = (await client(operations.IMPORT_DOCUMENT, markdown="# A\n\n" + "word " * 1_000_000))["importDocument"]

    assert (outcome["__typename"], outcome["violations"][0]["path"]) == ("InvalidInput", ["markdown"])


async def test_a_markdown_of_too_many_headings_is_invalid(client: Client) -> None:
    outcome = (await client(operations.IMPORT_DOCUMENT, markdown="# A\n" * 100_000))["importDocument"]

    assert (outcome["__typename"], outcome["violations"][0]["path"]) == ("InvalidInput", ["markdown"])


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
