"""Uploads: every text within its published limit arrives, however it is written, and memory stays bounded."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from starlette.types import Message
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from engine.complexity import Limits
from marginalia import app
from marginalia.settings import Settings
from marginalia.transports import socket_connection
from marginalia.transports.request import MOST_BESIDE_TEXTS
from marginalia.transports.uploads import LARGEST_UPLOAD, SMALL_UPLOAD, BodyReader, UploadBudget, UploadsExhausted
from services.limits import CONTENT_LENGTH, MARKDOWN_LENGTH, MESSAGE_LENGTH, TITLE_LENGTH
from tests.api import operations
from tests.conftest import Serve
from tests.edge.protocols import Listening, Telling, serving, until
from tests.edge.sockets import Socket, deaf, socket
from tests.support.client import Client, Served
from tests.support.processes import Server, running_process

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CHARACTERS = {"three bytes": "日", "a surrogate pair": "😀", "a control character": "\x01"}
FORMS = {"escaped": True, "raw": False}

LARGEST = {("escaped", "a surrogate pair"), ("raw", "three bytes")}
"""Those with the most bytes a character: tried in each run."""

characters = pytest.mark.parametrize(
    ("escaped", "character"),
    [
        pytest.param(
            FORMS[form],
            CHARACTERS[name],
            id=f"{form}-{name}",
            marks=() if (form, name) in LARGEST else pytest.mark.thorough,
        )
        for form in FORMS
        for name in CHARACTERS
    ],
)

IMPORT = """mutation ($markdown: String!) { importDocument(markdown: $markdown) {
  __typename ... on ImportDocumentSuccess { document { id } } ... on Error { message }
} }"""
CREATE = """mutation ($doc: ID!, $text: String!) { createSection(docId: $doc, section: {title: "A", content: $text}) {
  __typename ... on CreateSectionSuccess { section { content } } ... on Error { message }
} }"""
POST = """mutation ($chat: ID!, $text: String!) { postMessage(chatId: $chat, content: $text) {
  __typename ... on PostMessageSuccess { postedMessage { content } } ... on Error { message }
} }"""


def longest_document(character: str) -> str:
    """Return Markdown as long as it may be, in sections whose texts are as long as they may be."""
    heading = "# A\n\n"
    room = MARKDOWN_LENGTH
    parts = []
    while room:
        text = heading + character * (min(room, CONTENT_LENGTH) - len(heading) - 2) + "\n\n"
        parts.append(text)
        room -= len(text)
    return "".join(parts)


async def send(client: Client, escaped: bool, query: str, **variables: Any) -> httpx.Response:
    body = json.dumps({"query": query, "variables": variables}, ensure_ascii=escaped)
    headers = {"Content-Type": "application/json"}
    return await client.http.post("/graphql", content=body.encode(), headers=headers, timeout=60)


def test_the_limits_have_room_for_the_longest_text_in_the_longest_operation() -> None:
    settings = Settings(_env_file=None)
    longest = {
        "query": "😀" * settings.max_characters,
        "operationName": "A" * settings.max_name,
        "variables": {"markdown": "😀" * MARKDOWN_LENGTH, "title": "😀" * TITLE_LENGTH},
    }
    message = {"id": "😀" * 1_000, "type": "subscribe", "payload": longest}

    assert len(json.dumps(longest)) <= settings.max_body_bytes == LARGEST_UPLOAD
    assert len(json.dumps(message)) <= settings.max_socket_message_bytes
    assert settings.max_characters == Limits.characters


@on_sqlite
@characters
async def test_the_longest_document_is_imported(client: Served, character: str, escaped: bool) -> None:
    markdown = longest_document(character)
    assert len(markdown) == MARKDOWN_LENGTH

    answer = await send(client, escaped, IMPORT, markdown=markdown)
    longer = await send(client, escaped, IMPORT, markdown=markdown + "x")

    assert answer.json()["data"]["importDocument"]["__typename"] == "ImportDocumentSuccess", answer.text
    assert longer.json()["data"]["importDocument"]["__typename"] == "InvalidInput"


@characters
async def test_the_longest_text_of_a_section_and_of_a_message_arrive(
    client: Served, character: str, escaped: bool
) -> None:
    document = await operations.import_document(client, "# A")
    (section,) = await operations.section_ids(client, document)
    chat = await operations.ensure_chat(client, document, section)
    text, message = character * CONTENT_LENGTH, character * MESSAGE_LENGTH

    created = (await send(client, escaped, CREATE, doc=document, text=text)).json()["data"]["createSection"]
    posted = (await send(client, escaped, POST, chat=chat, text=message)).json()["data"]["postMessage"]

    assert created == {"__typename": "CreateSectionSuccess", "section": {"content": text}}
    assert posted == {"__typename": "PostMessageSuccess", "postedMessage": {"content": message}}


@on_sqlite
@characters
async def test_the_longest_text_of_an_operation_arrives(client: Served, character: str, escaped: bool) -> None:
    character = character if character.isprintable() else "\t"
    query = "{ __typename } #"
    query += character * (Limits.characters - len(query))

    answer = await send(client, escaped, query)
    longer = await send(client, escaped, query + character)

    assert answer.json() == {"data": {"__typename": "Query"}}
    assert longer.json()["errors"][0]["extensions"]["code"] == "MAX_CHARACTERS_EXCEEDED"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("uploads")
    with running_process(f"sqlite:///{folder}/marginalia.db", max_url_bytes=60_000) as running:
        yield running


@pytest.fixture
async def remote(server: Server) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=server.address, timeout=60) as http:
        yield Client(http)


@characters
async def test_the_longest_texts_arrive_over_a_socket(
    server: Server, remote: Client, character: str, escaped: bool
) -> None:
    document = await operations.import_document(remote, "# A")
    (section,) = await operations.section_ids(remote, document)
    chat = await operations.ensure_chat(remote, document, section)
    async with socket(server.address) as ours:

        async def ask(query: str, **variables: Any) -> Any:
            payload = {"query": query, "variables": variables}
            message = {"type": "subscribe", "id": "a", "payload": payload}
            await ours.send(json.dumps(message, ensure_ascii=escaped))
            return (await result(ours))["data"]

        text, message = character * CONTENT_LENGTH, character * MESSAGE_LENGTH
        created = (await ask(CREATE, doc=document, text=text))["createSection"]
        posted = (await ask(POST, chat=chat, text=message))["postMessage"]
        imported = (await ask(IMPORT, markdown=longest_document(character)))["importDocument"]

    assert created == {"__typename": "CreateSectionSuccess", "section": {"content": text}}
    assert posted == {"__typename": "PostMessageSuccess", "postedMessage": {"content": message}}
    assert imported["__typename"] == "ImportDocumentSuccess"


async def result(ours: Socket) -> Any:
    async with asyncio.timeout(60):
        answer = json.loads(await ours.connection.recv())
        assert answer["type"] == "next", answer
        assert json.loads(await ours.connection.recv())["type"] == "complete"
    return answer["payload"]


@pytest.mark.parametrize("most", [Settings.model_fields["max_url_bytes"].default, 60_000])
async def test_the_longest_url_arrives(serve: Serve, remote: Client, database_url: str, most: int) -> None:
    text = "{__typename}%23"
    path = f"/graphql?query={text}" + "x" * (most - len(f"query={text}"))
    assert (await remote.http.get(path)).json() == {"data": {"__typename": "Query"}}
    async with serve(max_url_bytes=most) as client:
        assert (await client.http.get(path)).json() == {"data": {"__typename": "Query"}}
        assert (await client.http.get(path + "x")).status_code == 414


@on_sqlite
async def test_a_long_body_waits_for_its_turn_and_a_short_one_does_not(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "UPLOADS_AT_ONCE", 0)
    short, long = (
        json.dumps({"query": "{ __typename } #" + "x" * n}) for n in (SMALL_UPLOAD - 100, SMALL_UPLOAD + 100)
    )
    async with serve(max_characters=1_000_000) as client:
        for _ in range(3):
            headers = {"Content-Type": "application/json"}
            assert (await client.http.post("/graphql", content=short, headers=headers)).status_code == 200
            refused = await client.http.post("/graphql", content=long, headers=headers)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json()["errors"][0]["extensions"] == {"code": "TEMPORARILY_UNAVAILABLE"}


async def test_what_bodies_hold_is_counted_until_they_are_read_or_given_up() -> None:
    budget = UploadBudget(100_000)
    reader = BodyReader(budget, 1_000_000)
    half, last = asyncio.Event(), asyncio.Event()

    async def receive(state: list[int]) -> Message:
        state.append(1)
        if len(state) == 2:
            half.set()
            await last.wait()
        return {"type": "http.request", "body": b"x" * 130_000, "more_body": len(state) == 1}

    first: list[int] = []
    reading = asyncio.create_task(reader.read(lambda: receive(first)))
    await half.wait()
    assert budget.held == 0, "the first 200,000 bytes are free"
    last.set()
    assert len(await reading) == 260_000
    assert budget.held == 0

    budget.change(0, SMALL_UPLOAD + 50_000)
    second: list[int] = []
    with pytest.raises(UploadsExhausted):
        await reader.read(lambda: receive(second))
    assert len(second) == 2
    assert budget.held == 50_000


TEXT = json.dumps("x" * 300_000).encode()


@pytest.mark.parametrize(
    ("pieces", "budget", "code"),
    [
        pytest.param([Frame(Opcode.TEXT, TEXT)], 50_000, 1013, id="no room"),
        pytest.param(
            [Frame(Opcode.TEXT, TEXT[:150_000], fin=False), Frame(Opcode.CONT, TEXT[150_000:])],
            50_000,
            1013,
            id="parts",
        ),
        pytest.param(
            [Frame(Opcode.TEXT, b"", fin=False), *[Frame(Opcode.CONT, b"", fin=False)] * 101], 50_000, 1009, id="crumbs"
        ),
        pytest.param([Frame(Opcode.TEXT, b"x", fin=False)], 50_000, 1008, id="half a message"),
    ],
)
async def test_a_socket_that_takes_too_much_memory_or_time_for_a_message_ends(
    monkeypatch: pytest.MonkeyPatch, pieces: list[Frame], budget: int, code: int
) -> None:
    monkeypatch.setattr(socket_connection, "MAX_FRAGMENTS", 100)
    monkeypatch.setattr(socket_connection, "UPLOAD_TIMEOUT_S", 0.2 if code == 1008 else 600.0)
    uploads = UploadBudget(budget)
    async with serving(Telling(), uploads=uploads) as (address, state), socket(address, init=False) as ours:
        ours.connection.transport.write(b"".join(piece.serialize(mask=True) for piece in pieces))
        assert (await ours.closed())[0] == code
        await until(lambda: not state.connections)
    assert uploads.held == 0


async def test_messages_within_their_room_are_taken_one_after_the_other(server: Server) -> None:
    async with socket(server.address) as ours:
        for _ in range(10):
            await ours.send({"type": "ping", "payload": {"text": "x" * 5_000_000}})
        for _ in range(10):
            assert await ours.receive() == {"type": "pong"}


async def test_a_client_that_vanishes_within_a_message_holds_nothing() -> None:
    uploads = UploadBudget(1_000_000)
    async with serving(Listening(), uploads=uploads) as (address, state):
        async with deaf(address) as write:
            await write(Frame(Opcode.TEXT, TEXT).serialize(mask=True)[:-10])
            await until(lambda: uploads.held > 0)
        await until(lambda: not state.connections)
    assert uploads.held == 0


async def test_a_message_is_long_for_its_texts(server: Server) -> None:
    async with socket(server.address) as ours:
        await ours.send("[" + "[]," * (MOST_BESIDE_TEXTS // 3) + "[]]")
        assert (await ours.closed())[0] == 4400
    async with socket(server.address) as ours:
        with suppress(ConnectionClosed):
            await ours.send('"' + "x" * LARGEST_UPLOAD + '"')
        assert (await ours.closed())[0] == 1009
