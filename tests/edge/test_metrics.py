"""Metrics: the figures that Prometheus reads."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Serve
from tests.edge.sockets import SECONDS
from tests.support.client import Served
from tests.support.processes import Server, running_process


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
    return f'marginalia_operations_total{{name="{name}",outcome="{outcome}",transport="http",type="{kind}"}}'


async def test_operations_are_counted_by_name_type_and_outcome(client: Served) -> None:
    for _ in range(3):
        await client("query Titles { documents { edges { node { title } } } }")
    await client('mutation { createDocument(title: "A") { __typename } }')
    await client.result("query Bad { documents(first: -1) { __typename } }")
    await client.result("{ nothing }")

    seen = await figures(client)
    assert seen[ended("", "query", "ok")] == 3
    assert seen[ended("", "mutation", "ok")] == 1
    assert seen[ended("", "query", "errors")] == 1
    assert seen[ended("", "unknown", "refused")] == 1
    assert seen['marginalia_operation_duration_seconds_count{type="query"}'] == 4
    assert seen['marginalia_operation_statements_sum{type="query"}'] == 3
    assert seen['marginalia_operations_in_flight{type="query"}'] == 0


async def test_the_time_is_that_of_reading_the_text_too(client: Served, slowly_read: float) -> None:
    await client("{ __typename }")

    assert (await figures(client))['marginalia_operation_duration_seconds_sum{type="query"}'] >= slowly_read


async def test_texts_that_were_remembered_are_told_from_those_that_were_read(client: Served) -> None:
    for _ in range(4):
        await client("{ __typename }")

    seen = await figures(client)
    assert seen['marginalia_operation_cache_lookups_total{result="miss"}'] == 1
    assert seen['marginalia_operation_cache_lookups_total{result="hit"}'] == 3


async def test_connections_and_subscribers_are_shown(client: Served) -> None:
    async with client.database.read() as session:
        await session.connection()
        seen = await figures(client)
    assert seen['marginalia_database_connections_in_use{pool="reading"}'] == 1
    assert seen['marginalia_database_connections_in_use{pool="writing"}'] == 0
    assert seen["marginalia_subscribers"] == 0
    assert seen["marginalia_asyncio_tasks"] > 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_only_operations_of_the_manifest_are_told_apart_by_name(serve: Serve, tmp_path: Path) -> None:
    trusted = "query Trusted { __typename }"
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"trusted": trusted}))
    async with serve(trusted_documents=manifest) as client:
        for number in range(250):
            await client(f"query N{number} {{ __typename }}")
        await client(trusted)
        await client.post({"documentId": "trusted"})
        await client.post({"documentId": "trusted", "operationName": "Nonsense"})

        seen = {
            name: count
            for name, count in (await figures(client)).items()
            if name.startswith("marginalia_operations_total")
        }
    assert seen == {
        ended("", "query", "ok"): 250,
        ended("Trusted", "query", "ok"): 2,
        ended("", "unknown", "refused"): 1,
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_figure_has_our_prefix(client: Served) -> None:
    await client("{ __typename }")
    assert {name for name in await figures(client) if not name.startswith("marginalia_")} == set()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_they_can_be_switched_off(serve: Serve) -> None:
    async with serve(metrics=False) as client:
        assert (await client.http.get("/metrics")).status_code == 404


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("workers")
    with running_process(f"sqlite:///{folder}/marginalia.db", "--workers", "2", event_seconds=0.05) as server:
        until(lambda: len(processes(server)) == 2, 60)  # each imports all of it anew, on a machine that may be busy
        yield server


def processes(server: Server) -> list[int]:
    return [int(process) for process in re.findall(r'"process_id": (\d+), "event": "process started"', server.log)]


def until(holds: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask(server: Server, query: str) -> dict[str, Any]:
    """Run an operation by a connection of its own, so that any of the workers may be asked."""
    data: dict[str, Any] = httpx.post(f"{server.address}/graphql", json={"query": query}).json()["data"]
    return data


def shown(server: Server) -> dict[str, float]:
    return read(httpx.get(f"{server.address}/metrics").text)


def test_several_workers_put_their_figures_together(workers: Server) -> None:
    for _ in range(20):
        ask(workers, "query Q { __typename }")
    assert {shown(workers)[ended("", "query", "ok")] for _ in range(6)} == {20}

    def texts() -> list[float]:
        seen = shown(workers)
        return [
            seen.get(f'marginalia_operation_cache_lookups_total{{result="{result}"}}', 0) for result in ("hit", "miss")
        ]

    until(lambda: sum(texts()) == 20)  # each tells the others once a second
    assert texts()[1] in (1, 2), "once for each worker that was asked"
    seen = shown(workers)
    assert seen['marginalia_database_connections_in_use{pool="reading"}'] == 0
    assert seen["marginalia_subscribers"] == 0


def test_what_a_worker_was_doing_is_forgotten_when_it_is_no_more(workers: Server) -> None:
    document = ask(
        workers, 'mutation { made: createDocument(title: "A") { ... on CreateDocumentSuccess { document { id } } } }'
    )["made"]["document"]["id"]
    subscription = f'subscription {{ sectionChatOpened(docId: "{document}") {{ chat {{ id }} }} }}'
    running = 'marginalia_operations_in_flight{type="subscription"}'
    streaming = []
    with ExitStack() as streams:
        for _ in range(6):
            answer = streams.enter_context(
                httpx.stream(
                    "POST",
                    f"{workers.address}/graphql",
                    json={"query": subscription},
                    headers={"Accept": "text/event-stream"},
                )
            )
            streaming.append(answer.iter_raw())
            assert next(streaming[-1])  # it is live
        until(lambda: shown(workers)["marginalia_subscribers"] == 6)
        assert shown(workers)[running] == 6
        for process in processes(workers):
            os.kill(process, signal.SIGKILL)
        until(lambda: len(processes(workers)) == 4, 60)
    until(lambda: shown(workers).get(running, 0) == 0)
    until(lambda: shown(workers)["marginalia_subscribers"] == 0)
    assert shown(workers)[ended("", "mutation", "ok")] == 1
