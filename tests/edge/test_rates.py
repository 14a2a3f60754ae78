"""Rate limits, as clients meet them: what they are told, over each transport, and that nothing ran."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from db.principals import Principal, Role
from marginalia.settings import Settings
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.edge.sockets import SECONDS, Socket, socket
from tests.support.client import Served
from tests.support.processes import Server, running_process

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CREATE = 'mutation { createDocument(title: "A") { __typename } }'
LIST = "{ documents(first: 100) { edges { node { id title } } } }"
CHEAP = "{ __typename }"
EVENTS = {"Accept": "text/event-stream"}
SMALL = {"max_cost": 500, "max_root_fields": 2}
"""Limits of an operation that leave room for small limits of a minute."""


async def ask(client: Served, query: str, **headers: str) -> tuple[int, str | None]:
    """Send a query, and return the status with the code of the first error."""
    response = await client.http.post("/graphql", json={"query": query}, headers=headers)
    errors = response.json().get("errors")
    return response.status_code, errors and errors[0]["extensions"]["code"]


@on_sqlite
async def test_who_has_used_a_minute_up_is_told_when_to_come_back(serve: Serve, log: Log) -> None:
    async with serve(**SMALL, rate_cost_per_minute=1_000) as client:
        assert [await ask(client, LIST) for _ in range(2)] == [(200, None)] * 2
        refused = await client.http.post("/graphql", json={"query": LIST})
        # What is left is enough for a cheap one.
        assert await ask(client, CHEAP) == (200, None)

    assert refused.status_code == 429
    (error,) = refused.json()["errors"]
    assert "data" not in refused.json()
    assert error["extensions"]["code"] == "RATE_LIMITED"
    wait_ms = error["extensions"]["retryAfterMs"]
    assert 0 < wait_ms <= 120_000
    assert int(refused.headers["retry-after"]) == -(-wait_ms // 1000)
    (line,) = [each for each in log.of("operation") if each["outcome"] == "refused"]
    assert (line["code"], line["statements"]) == ("RATE_LIMITED", 0)


@on_sqlite
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json", "text/event-stream"])
async def test_the_status_is_the_same_for_every_media_type(serve: Serve, accept: str) -> None:
    async with serve(**SMALL, rate_cost_per_minute=500) as client:
        assert await ask(client, LIST) == (200, None)
        assert await ask(client, LIST, Accept=accept) == (429, "RATE_LIMITED")


@on_sqlite
async def test_a_mutation_over_the_limit_does_not_run(serve: Serve) -> None:
    async with serve(**SMALL, rate_writes_per_minute=2) as client:
        twice = 'mutation { a: createDocument(title: "A") { __typename } b: createDocument(title: "B") { __typename } }'
        assert await ask(client, twice) == (200, None)
        assert await ask(client, CREATE) == (429, "RATE_LIMITED")
        assert await ask(client, LIST) == (200, None), "reads are not writes"
        assert (await client("{ documents { totalCount } }"))["documents"]["totalCount"] == 2


@on_sqlite
async def test_each_user_of_each_workspace_has_a_limit_of_its_own(serve: Serve) -> None:
    users = [("a", "b/c"), ("a/b", "c"), ("a", "c")]
    now: list[Principal] = []
    async with serve(who=lambda: now[-1], **SMALL, rate_cost_per_minute=500) as client:
        for workspace, user in users:
            now.append(Principal(user, workspace, Role.READER))
            assert await ask(client, LIST) == (200, None)
            assert await ask(client, LIST) == (429, "RATE_LIMITED")


@on_sqlite
async def test_an_operation_that_is_refused_for_another_reason_costs_nothing(serve: Serve) -> None:
    async with serve(**SMALL, rate_cost_per_minute=500) as client:
        for _ in range(3):
            asked = await client.http.get("/graphql", params={"query": LIST})  # without a header that pages cannot send
            assert asked.status_code == 400
        assert await ask(client, LIST) == (200, None)


@on_sqlite
async def test_local_mode_has_no_limits_and_tokens_mode_has_some(serve: Serve) -> None:
    assert Settings(_env_file=None).rates("local").cost_per_minute == 0
    assert Settings(_env_file=None).rates("tokens").cost_per_minute == 1_000_000
    assert Settings(_env_file=None, rate_cost_per_minute=0).rates("tokens").cost_per_minute == 0
    async with serve() as client:
        for _ in range(50):
            assert await ask(client, LIST) == (200, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rate_cost_per_minute", 49_999), ("rate_writes_per_minute", 19), ("rate_storage", "memcached://x")],
)
def test_a_limit_that_no_large_operation_could_meet_is_refused(name: str, value: object) -> None:
    given = {name: value}
    with pytest.raises(ValueError, match=r"could never run|should match pattern"):
        Settings(_env_file=None, **given)  # type: ignore[arg-type] # not all are what they should be


async def refusal(opened: Socket, name: str) -> dict[str, Any]:
    message = await opened.receive()
    assert (message["type"], message["id"]) == ("error", name)
    (error,) = message["payload"]
    extensions: dict[str, Any] = error["extensions"]
    return extensions


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    url = f"sqlite:///{tmp_path_factory.mktemp('rates')}/marginalia.db"
    limits = {**SMALL, "rate_cost_per_minute": 1_000, "rate_sockets": 2, "rate_subscriptions": 1}
    with running_process(url, **limits) as running:
        yield running


@pytest.mark.slow
async def test_a_user_has_so_many_sockets_open_and_no_more(server: Server) -> None:
    async with socket(server.address), socket(server.address), socket(server.address, init=False) as third:
        await third.send({"type": "connection_init"})
        assert await third.closed() == (1013, "You have 2 sockets open already")
    async with asyncio.timeout(SECONDS):
        while not await opens(server.address):
            pass


async def opens(address: str) -> bool:
    async with socket(address, init=False) as opened:
        await opened.send({"type": "connection_init"})
        try:
            return bool(json.loads(await opened.connection.recv())["type"] == "connection_ack")
        except ConnectionClosed:
            return False


@pytest.mark.slow
async def test_operations_on_a_socket_are_limited_like_others(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.address, timeout=SECONDS) as http, socket(server.address) as opened:
        made = await opened.result(
            "made", 'mutation { createDocument(title: "A") { ... on CreateDocumentSuccess { document { id } } } }'
        )
        document = made["data"]["createDocument"]["document"]["id"]
        follow = f'subscription {{ sectionChatOpened(docId: "{document}") {{ at }} }}'
        async with http.stream("POST", "/graphql", json={"query": follow}, headers=EVENTS) as live:
            assert live.status_code == 200
            await opened.subscribe("too-many", follow)
            assert await refusal(opened, "too-many") == {"code": "RATE_LIMITED", "retryAfterMs": 5_000}
            refused = await http.post("/graphql", json={"query": follow}, headers=EVENTS)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        for number in range(3):
            await opened.subscribe(f"{number}", LIST)
            if (await opened.receive())["type"] == "error":
                break
            await opened.receive()
        await opened.subscribe("list", LIST)
        assert (await refusal(opened, "list"))["code"] == "RATE_LIMITED"
        assert (await http.post("/graphql", json={"query": LIST})).status_code == 429
