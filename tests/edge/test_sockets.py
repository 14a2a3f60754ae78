"""Operations over WebSockets: what works, and what a socket that breaks the protocol is closed with."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from tests.api import operations
from tests.edge.sockets import LARGE, PROTOCOL, SECONDS, Socket, Write, deaf, frame, handshake, socket, until_ended
from tests.support.client import Client
from tests.support.processes import Server, running_process

OPENED = """
subscription ($d: ID!) {
  sectionChatOpened(docId: $d) { chat { id ensured section { id title } document { id } } }
}
"""
ENSURE = """
mutation ($d: ID!, $s: ID!) { ensureSectionChat(docId: $d, sectionId: $s) { ... on ChatSession { id ensured } } }
"""
SUBSCRIBE = {"type": "subscribe", "id": "a", "payload": {"query": "{ __typename }"}}
ORIGIN = "https://editor.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_process(
        f"sqlite:///{tmp_path_factory.mktemp('sockets')}/marginalia.db",
        socket_init_seconds=1.5,
        max_socket_operations=5,
        max_socket_message_bytes=100_000,
        event_seconds=0.02,
        log_level="debug",
        allowed_origins=json.dumps([f"{ORIGIN}:443/"]),
    ) as running:
        yield running


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=server.address, timeout=SECONDS) as http:
        yield Client(http)


@pytest.fixture
async def place(client: Client) -> tuple[str, list[str]]:
    """Make a document, and return its id and those of its sections."""
    document = await operations.import_document(client, "# A\n\n# B\n\n# C")
    return document, await operations.section_ids(client, document)


async def figure(client: Client, name: str) -> int:
    text = (await client.http.get("/metrics")).text
    return int(float(text.rsplit(f"{name} ", 1)[1].split()[0]))


async def until_followers(client: Client, count: int) -> None:
    async with asyncio.timeout(SECONDS):
        while await figure(client, "marginalia_subscribers") != count:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


def complaints(server: Server) -> list[dict[str, Any]]:
    """Return the lines of its log that somebody has to look at."""
    lines = [json.loads(line) for line in server.log.splitlines()]
    return [line for line in lines if line["level"] not in ("debug", "info") and line["event"] != "socket refused"]


async def test_queries_and_mutations_have_one_result(server: Server, place: tuple[str, list[str]]) -> None:
    document, sections = place
    async with socket(server.address) as ours:
        assert await ours.result("1", "{ __typename }") == {"data": {"__typename": "Query"}}
        made = await ours.result("1", ENSURE, d=document, s=sections[0])
        assert made["data"]["ensureSectionChat"]["ensured"] == "CREATED"
        failed = await ours.result("x" * 500, "{ documents(first: -1) { __typename } }")
        assert failed["data"] == {"documents": None}
        assert failed["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_subscription_tells_until_it_is_completed(
    server: Server, client: Client, place: tuple[str, list[str]]
) -> None:
    document, (first, second, third) = place
    async with socket(server.address) as ours:
        await ours.subscribe("s", OPENED, d=document)
        await until_followers(client, 1)
        for section in (first, second):
            chat = await operations.ensure_chat(client, document, section)
            event = await ours.receive()
            assert (event["type"], event["id"]) == ("next", "s")
            shown = event["payload"]["data"]["sectionChatOpened"]["chat"]
            assert (shown["id"], shown["ensured"], shown["section"]["id"]) == (chat, None, section)
            assert shown["document"] == {"id": document}
        await ours.send({"type": "complete", "id": "s"})
        await until_followers(client, 0)
        await operations.ensure_chat(client, document, third)
        assert await ours.result("s", "{ __typename }") == {"data": {"__typename": "Query"}}


async def test_a_subscription_ends_well_whoever_ends_it_and_whatever_it_has_told(
    server: Server, client: Client, place: tuple[str, list[str]]
) -> None:
    ending = OPENED.replace("subscription", "subscription Ending")
    async with socket(server.address) as ours:
        for _ in range(2):
            await ours.subscribe("s", ending, d=place[0])
            await until_followers(client, 1)
            await ours.send({"type": "complete", "id": "s"})
            await until_followers(client, 0)
    # The last one follows no longer, and may not have been told yet.
    await until_ended(server, "Ending", "websocket", 2)


async def test_operations_run_beside_each_other(server: Server, client: Client, place: tuple[str, list[str]]) -> None:
    document, (first, *_) = place
    async with socket(server.address) as ours:
        for name in ("a", "b"):
            await ours.subscribe(name, OPENED, d=document)
        await until_followers(client, 2)
        assert await ours.result("q", "{ __typename }") == {"data": {"__typename": "Query"}}
        await operations.ensure_chat(client, document, first)
        assert {(await ours.receive())["id"] for _ in range(2)} == {"a", "b"}
    await until_followers(client, 0)


async def test_pings_are_answered(server: Server) -> None:
    async with socket(server.address, init=False) as ours:
        await ours.send({"type": "ping", "payload": {"a": 1}})
        assert await ours.receive() == {"type": "pong"}
        await ours.init()
        await ours.send({"type": "pong"})
        await ours.send({"type": "pong", "payload": None})
        await ours.send({"type": "complete", "id": "unknown"})
        await ours.send({"type": "ping"})
        assert await ours.receive() == {"type": "pong"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{" + " __typename" * 100 + "}", "MAX_ALIASES_EXCEEDED"),
        ("query ($a: ID!) { node(id: $a) { id } }", "BAD_USER_INPUT"),
        ("subscription ($a: ID!) { sectionChatOpened(docId: $a) { chat { id } } }", "BAD_USER_INPUT"),
        ('subscription { sectionChatOpened(docId: "doc_none") { chat { id } } }', "DOCUMENT_NOT_FOUND"),
        ('subscription { sectionChatOpened(docId: "\\u0000") { chat { id } } }', "DOCUMENT_NOT_FOUND"),
    ],
)
async def test_an_operation_that_is_not_begun_is_an_error_and_the_socket_lives(
    server: Server, query: str, code: str
) -> None:
    async with socket(server.address) as ours:
        await ours.subscribe("a", query)
        answer = await ours.receive()
        assert (answer["type"], answer["id"]) == ("error", "a")
        assert code in {error["extensions"]["code"] for error in answer["payload"]}
        assert await ours.result("a", "{ __typename }") == {"data": {"__typename": "Query"}}


async def test_a_socket_has_so_many_operations_and_no_more(
    server: Server, client: Client, place: tuple[str, list[str]]
) -> None:
    document, (first, *_) = place
    async with socket(server.address) as ours:
        for number in range(5):
            await ours.subscribe(f"{number}", OPENED, d=document)
        await until_followers(client, 5)
        await ours.subscribe("one more", OPENED, d=document)
        refused = await ours.receive()
        assert (refused["type"], refused["id"]) == ("error", "one more")
        assert refused["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
        await operations.ensure_chat(client, document, first)
        assert {(await ours.receive())["id"] for _ in range(5)} == set("01234")
    await until_followers(client, 0)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        pytest.param("5", 4400, id="a number"),
        pytest.param("[]", 4400, id="a list"),
        pytest.param("null", 4400, id="null"),
        pytest.param('"x"', 4400, id="a string"),
        pytest.param("true", 4400, id="true"),
        pytest.param("", 4400, id="nothing"),
        pytest.param("{", 4400, id="half a brace"),
        pytest.param("NaN", 4400, id="NaN"),
        pytest.param("[" * 20_000, 4400, id="deep lists"),
        pytest.param('{"a":' * 10_000 + "1" + "}" * 10_000, 4400, id="deep objects"),
        pytest.param(b"\x00\xff", 4400, id="bytes"),
        pytest.param(json.dumps(SUBSCRIBE).encode(), 4400, id="JSON as bytes"),
        pytest.param('"' + "x" * 1_000_000 + '"', 1009, id="a megabyte"),
        pytest.param({}, 4400, id="an empty object"),
        pytest.param({"type": 5}, 4400, id="a type that is none"),
        pytest.param({"type": "start", "id": "a"}, 4400, id="another protocol"),
        pytest.param({"type": "next", "id": "a", "payload": {}}, 4400, id="what only a server says"),
        pytest.param({"type": "connection_init"}, 4429, id="a second introduction"),
        pytest.param({"type": "connection_init", "payload": 5}, 4400, id="an introduction by a number"),
        pytest.param({"type": "ping", "payload": 0}, 4400, id="a ping with a number"),
        pytest.param({"type": "ping", "payload": []}, 4400, id="a ping with a list"),
        pytest.param({"type": "pong", "payload": "x"}, 4400, id="a pong with a string"),
        pytest.param({"type": "complete"}, 4400, id="complete without an id"),
        pytest.param({"type": "complete", "id": 5}, 4400, id="complete a number"),
        pytest.param({**SUBSCRIBE, "id": 5}, 4400, id="a number for an id"),
        pytest.param({**SUBSCRIBE, "id": ""}, 4400, id="an empty id"),
        pytest.param({**SUBSCRIBE, "id": "x" * 1_001}, 4400, id="a long id"),
        pytest.param({**SUBSCRIBE, "id": None}, 4400, id="null for an id"),
        pytest.param({"type": "subscribe", "id": "a"}, 4400, id="no payload"),
        pytest.param({**SUBSCRIBE, "payload": 5}, 4400, id="a number for a payload"),
        pytest.param({**SUBSCRIBE, "payload": []}, 4400, id="a list for a payload"),
        pytest.param({**SUBSCRIBE, "payload": {}}, 4400, id="an empty payload"),
        pytest.param({**SUBSCRIBE, "payload": {"query": 5}}, 4400, id="a number for a query"),
        pytest.param({**SUBSCRIBE, "payload": {"query": "{a}", "variables": []}}, 4400, id="a list for variables"),
        pytest.param({**SUBSCRIBE, "payload": {"query": "{a}", "operationName": 5}}, 4400, id="a number for a name"),
    ],
)
async def test_a_message_that_is_none_closes_its_socket_and_no_other(
    server: Server, client: Client, place: tuple[str, list[str]], message: Any, code: int
) -> None:
    document, (first, *_) = place
    async with socket(server.address) as other, socket(server.address) as ours:
        await other.subscribe("s", OPENED, d=document)
        await ours.subscribe("s", OPENED, d=document)
        await until_followers(client, 2)
        await ours.send(message)
        assert (await ours.closed())[0] == code
        await until_followers(client, 1)
        chat = await operations.ensure_chat(client, document, first)
        assert (await other.receive())["payload"]["data"]["sectionChatOpened"]["chat"]["id"] == chat
    await until_followers(client, 0)


async def test_an_id_that_is_in_use_closes_the_socket(
    server: Server, client: Client, place: tuple[str, list[str]]
) -> None:
    async with socket(server.address) as ours:
        for _ in range(2):
            await ours.subscribe("a", OPENED, d=place[0])
        assert await ours.closed() == (4409, "Subscriber for a already exists")
    await until_followers(client, 0)


@pytest.mark.parametrize("name", ["\U0001f600" * 100, "\ud800" * 100, "x" * 1_000])
async def test_whatever_the_id_that_is_in_use_the_code_is_the_same(
    server: Server, place: tuple[str, list[str]], name: str
) -> None:
    async with socket(server.address) as ours:
        for _ in range(2):
            await ours.subscribe(name, OPENED, d=place[0])
        assert (await ours.closed())[0] == 4409


NO_UTF_8 = frame(b"\xff\xfe")
RESERVED = b"\xc1\x80\0\0\0\0"
PING = frame({"type": "ping"})


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        pytest.param(NO_UTF_8, 1007, id="text that is no UTF-8"),
        pytest.param(PING + NO_UTF_8, 1007, id="a ping and no UTF-8"),
        pytest.param(frame({"type": "connection_init"}) + NO_UTF_8, 1007, id="an introduction and no UTF-8"),
        pytest.param(frame(5) + NO_UTF_8, 1007, id="a number and no UTF-8"),
        pytest.param(NO_UTF_8 + NO_UTF_8, 1007, id="no UTF-8, twice"),
        pytest.param(NO_UTF_8 + frame(b"\x03\xe8", Opcode.CLOSE), 1000, id="no UTF-8 and a farewell"),
        pytest.param(b"".join(frame({**SUBSCRIBE, "id": f"{n}"}) for n in range(5)) + NO_UTF_8, 1007, id="queries"),
        pytest.param(PING + RESERVED, 1002, id="reserved bits"),
    ],
)
async def test_frames_that_are_none_close_the_socket_and_are_no_news(server: Server, pieces: bytes, code: int) -> None:
    async with socket(server.address, init=False) as ours:
        ours.connection.transport.write(pieces)
        assert (await ours.closed())[0] == code
    async with socket(server.address) as ours:
        await ours.subscribe("a", "{ documents { edges { node { id } } } }")
        ours.connection.transport.write(pieces)
        await ours.closed()
    assert complaints(server) == []


@pytest.mark.parametrize(
    ("lines", "target", "status"),
    [
        pytest.param(["Cookie: " + "a" * 9_000], "/graphql", 431, id="a long header"),
        pytest.param([f"X-{number}: a" for number in range(200)], "/graphql", 431, id="many headers"),
        pytest.param([], "/graphql?" + "a" * 9_000, 414, id="a long address"),
        pytest.param(["Content-Length: 5"], "/graphql", 400, id="a body"),
        pytest.param(["Transfer-Encoding: chunked"], "/graphql", 400, id="a body in pieces"),
        pytest.param(["X: \x01"], "/graphql", 400, id="a control character"),
    ],
)
async def test_a_handshake_that_cannot_be_read_is_answered(
    server: Server, lines: list[str], target: str, status: int
) -> None:
    assert await refused(server, handshake(server.address, *lines, target=target)) == status


async def test_a_handshake_under_the_name_of_another_host_is_refused(server: Server) -> None:
    assert await refused(server, handshake(server.address, host="evil.example")) == 400
    assert complaints(server) == []


async def refused(server: Server, request: bytes) -> int:
    """Send a handshake, insist that the connection ends, and return the status of the answer."""
    address = urlsplit(server.address)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request)
    async with asyncio.timeout(SECONDS):
        answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


async def test_the_log_has_nothing_of_what_a_socket_is_opened_with_or_told(server: Server) -> None:
    word = "Xanthippe"
    url = f"{server.address.replace('http://', 'ws://')}/graphql?token={word}"
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], additional_headers={"Cookie": word}) as connection:
        ours = Socket(connection)
        await ours.init()
        assert await ours.result("a", "query ($id: ID!) { node(id: $id) { id } }", id=word) == {"data": {"node": None}}
    assert await refused(server, handshake(server.address, target=f"/graphql?{word}", host="evil.example")) == 400
    assert word not in server.log


async def test_who_does_not_introduce_itself_is_closed(server: Server) -> None:
    async with socket(server.address, init=False) as ours:
        await ours.send(SUBSCRIBE)
        assert await ours.closed() == (4401, "Unauthorized")
    async with socket(server.address, init=False) as ours:
        await ours.send({"type": "ping"})
        assert await ours.closed() == (4408, "Connection initialisation timeout")


async def test_a_document_is_run_by_its_id_with_an_empty_query_and_without_one(server: Server) -> None:
    query = "query Named { __typename }"
    name = hashlib.sha256(query.encode()).hexdigest()
    registered = {"query": query, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": name}}}
    asked = [{"documentId": f"sha256:{name}"}, {"documentId": name, "query": ""}, {"documentId": name, "query": None}]
    async with socket(server.address) as ours:
        for payload in (registered, *asked):
            await ours.send({"type": "subscribe", "id": "a", "payload": payload})
            assert (await ours.receive())["payload"] == {"data": {"__typename": "Query"}}
            assert (await ours.receive())["type"] == "complete"


@pytest.mark.parametrize("protocols", [("graphql-ws",), ("x", "y")])
async def test_another_protocol_is_not_spoken(server: Server, protocols: tuple[str, ...]) -> None:
    url = server.address.replace("http://", "ws://") + "/graphql"
    async with connect(url) as connection:
        assert (await Socket(connection).closed())[0] == 4406
    async with socket(server.address, *protocols, "graphql-transport-ws") as ours:
        assert await ours.result("a", "{ __typename }") == {"data": {"__typename": "Query"}}


async def test_a_page_of_another_origin_gets_no_socket(server: Server) -> None:
    place = server.address.removeprefix("http://")
    for origin in (
        "https://evil.example",
        "null",
        "http://localhost:1",
        "https://editor.example.evil.example",
        f"http://evil@{place}",
        f"http://evil.example@{place}",
        f"http://{place}@evil.example",
        f"http://{place}/path",
        f"http://{place}?evil",
        f"chrome-extension://{place}",
        f"//{place}",
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with socket(server.address, origin=origin):
                pass
        assert refused.value.response.status_code == 403
    for origin in (server.address, ORIGIN):
        async with socket(server.address, origin=origin) as ours:
            assert await ours.result("a", "{ __typename }") == {"data": {"__typename": "Query"}}


async def test_a_client_that_vanishes_leaves_nothing_behind(
    server: Server, client: Client, place: tuple[str, list[str]]
) -> None:
    async with socket(server.address) as ours:
        for name in "abc":
            await ours.subscribe(name, OPENED, d=place[0])
        await until_followers(client, 3)
        ours.connection.transport.abort()
        await until_followers(client, 0)


async def test_short_subscriptions_leave_nothing_behind(
    server: Server, client: Client, place: tuple[str, list[str]]
) -> None:
    async with socket(server.address) as ours:
        tasks = await figure(client, "marginalia_asyncio_tasks")
        for number in range(200):
            await ours.subscribe(f"{number}", OPENED, d=place[0])
            await ours.send({"type": "complete", "id": f"{number}"})
        await ours.send({"type": "ping"})
        while (await ours.receive())["type"] != "pong":
            pass
        await until_followers(client, 0)
        async with asyncio.timeout(SECONDS):
            while await figure(client, "marginalia_asyncio_tasks") > tasks:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.02)


async def test_a_client_that_leaves_while_it_is_told_something_is_no_news(server: Server, client: Client) -> None:
    document = await operations.import_document(client, "# A\n\n" + "x" * 300_000)
    query = {"query": LARGE, "variables": {"d": document}}
    async with deaf(server.address) as write:
        for name in "abc":
            await write(frame({"type": "subscribe", "id": name, "payload": query}))
        await until_ended(server, "Large", "websocket", 3)
    async with socket(server.address) as ours:
        assert await ours.result("a", "{ __typename }") == {"data": {"__typename": "Query"}}
    assert complaints(server) == []


async def test_a_client_that_does_not_read_cannot_write_without_end(
    server: Server, client: Client, place: tuple[str, list[str]]
) -> None:
    document, _ = place
    async with deaf(server.address) as write:
        payload = {"query": OPENED, "variables": {"d": document}}
        for name in range(5):
            await write(frame({"type": "subscribe", "id": f"{name}", "payload": payload}))
        await until_followers(client, 5)
        many_more = frame({**SUBSCRIBE, "id": "x" * 1_000}) * 1_000
        with pytest.raises(TimeoutError):
            await write_on(write, many_more, pieces=100)
    await until_followers(client, 0)


async def write_on(write: Write, data: bytes, pieces: int) -> None:
    """Write pieces as long as each can be written within a second."""
    for _ in range(pieces):
        async with asyncio.timeout(1):
            await write(data)


async def test_an_operation_can_take_the_place_of_another_one(
    server: Server, client: Client, place: tuple[str, list[str]]
) -> None:
    async with socket(server.address) as ours:
        for name in "abcde":
            await ours.subscribe(name, OPENED, d=place[0])
        await until_followers(client, 5)
        await ours.send({"type": "complete", "id": "a"})
        assert await ours.result("a", "{ __typename }") == {"data": {"__typename": "Query"}}
        for name in "bcde":
            await ours.send({"type": "complete", "id": name})
    await until_followers(client, 0)


def test_the_log_has_a_line_for_each_operation_and_no_complaint(server: Server) -> None:
    lines = [json.loads(line) for line in server.log.splitlines()]
    transports = {line["transport"] for line in lines if line["event"] == "operation"}
    assert "websocket" in transports
    assert complaints(server) == []
