"""Metrics: the figures that Prometheus reads."""

import re

import httpx
import pytest

from marginalia.metrics import NAMES
from tests.conftest import Serve
from tests.support.client import Served
from tests.support.processes import running_process


async def figures(client: Served) -> dict[str, float]:
    response = await client.http.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return read(response.text)


def read(text: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    }


def ended(name: str, kind: str, outcome: str) -> str:
    return f'graphql_operations_total{{name="{name}",outcome="{outcome}",type="{kind}",way="http"}}'


async def test_operations_are_counted_by_name_type_and_outcome(client: Served) -> None:
    for _ in range(3):
        await client("query Titles { documents { edges { node { title } } } }")
    await client('mutation { createDocument(title: "A") { __typename } }')
    await client.result("query Bad { documents(first: -1) { __typename } }")
    await client.result("{ nothing }")

    seen = await figures(client)
    assert seen[ended("Titles", "query", "ok")] == 3
    assert seen[ended("", "mutation", "ok")] == 1
    assert seen[ended("Bad", "query", "errors")] == 1
    assert seen[ended("", "unknown", "refused")] == 1
    assert seen['graphql_operation_seconds_count{type="query"}'] == 4
    assert seen['graphql_operation_statements_sum{type="query"}'] == 3
    assert seen['graphql_operations_running{type="query"}'] == 0


async def test_the_time_is_that_of_reading_the_text_too(client: Served, slowly_read: float) -> None:
    await client("{ __typename }")

    assert (await figures(client))['graphql_operation_seconds_sum{type="query"}'] >= slowly_read


async def test_texts_that_were_remembered_are_told_from_those_that_were_read(client: Served) -> None:
    for _ in range(4):
        await client("{ __typename }")

    seen = await figures(client)
    assert seen['graphql_texts_total{cache="miss"}'] == 1
    assert seen['graphql_texts_total{cache="hit"}'] == 3


async def test_connections_and_subscribers_are_shown(client: Served) -> None:
    async with client.database.read() as session:
        await session.connection()
        seen = await figures(client)
    assert seen['database_connections_in_use{pool="reading"}'] == 1
    assert seen['database_connections_in_use{pool="writing"}'] == 0
    assert seen["graphql_subscribers"] == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_only_so_many_names_are_told_apart(client: Served) -> None:
    for number in range(NAMES + 10):
        await client(f"query N{number} {{ __typename }}")

    seen = [name for name in await figures(client) if name.startswith("graphql_operations_total")]
    assert len(seen) == NAMES + 1
    assert ended("other", "query", "ok") in seen


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_they_can_be_switched_off(serve: Serve) -> None:
    async with serve(metrics=False) as client:
        assert (await client.http.get("/metrics")).status_code == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_several_workers_put_their_figures_together(database_url: str) -> None:
    with running_process(database_url, "--workers", "2") as server:
        for _ in range(20):  # each by a connection of its own, so that both workers are asked
            assert httpx.post(f"{server.address}/graphql", json={"query": "query Q { __typename }"}).is_success
        seen = {httpx.get(f"{server.address}/metrics").text for _ in range(6)}
        counts = {read(text)[ended("Q", "query", "ok")] for text in seen}
        assert len(re.findall("Started server process", server.log)) == 2
    assert counts == {20}
