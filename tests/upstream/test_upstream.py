"""Upstream: what libraries do that we work around, one test each; when one fails, a workaround can go."""

import asyncio
import logging
from enum import Enum
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import strawberry
import uvicorn
from graphql import GraphQLEnumType, GraphQLSyntaxError, parse, specified_rules, validate
from prometheus_client.mmap_dict import MmapedDict
from starlette.types import Receive, Scope, Send
from strawberry.asgi import GraphQL
from strawberry.extensions import QueryDepthLimiter
from strawberry.http.streaming import SSETransport
from strawberry.schema.config import StrawberryConfig
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import InvalidState
from websockets.frames import Opcode

from engine.complexity import Limits
from engine.operation_cache import OperationCache
from engine.prepared_operation import Refused
from schema.build import graphql_schema
from tests.edge.conftest import Log
from tests.edge.sockets import frame, handshake
from tests.upstream.wire import Wire

SCHEMA = graphql_schema()


@strawberry.type
class Query:
    @strawberry.field
    def a(self) -> int:
        return 1


def plain(**options: Any) -> httpx.AsyncClient:
    """Return a client of Strawberry's own view."""
    view: GraphQL[Any, None] = GraphQL(strawberry.Schema(Query, **options))
    return httpx.AsyncClient(transport=httpx.ASGITransport(view), base_url="http://localhost")


@pytest.mark.parametrize(
    ("text", "limits", "sentence", "code"),
    [
        ("{ a a a }", Limits(tokens=3), "more than 3 tokens. Parsing aborted.", "MAX_TOKENS_EXCEEDED"),
        ("#\n#\n{ a }", Limits(comments=1), "more than 1 comments. Parsing aborted.", "MAX_COMMENTS_EXCEEDED"),
        ("{a" * 250 + "}" * 250, Limits(), "nested too deeply. Parsing aborted.", "MAX_DEPTH_EXCEEDED"),
    ],
)
def test_the_limits_of_the_parser_are_told_apart_by_its_sentences(
    text: str, limits: Limits, sentence: str, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        OperationCache(SCHEMA, limits).find(text)
    (error,) = refused.value.errors
    assert isinstance(error, GraphQLSyntaxError)
    assert error.message.endswith(sentence)
    assert refused.value.code == code


def test_graphql_core_reads_an_empty_selection() -> None:
    assert validate(SCHEMA, parse("{ }"), specified_rules) == []


def test_graphql_core_quotes_a_number_that_python_cannot_read() -> None:
    (error,) = validate(SCHEMA, parse(f"{{ documents(first: {'9' * 5_000}) {{ __typename }} }}"), specified_rules)
    assert isinstance(error.original_error, ValueError)
    assert len(error.message) > 5_000


def test_the_files_of_prometheus_have_no_room_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "counter_1.db"
    MmapedDict(file).close()  # type: ignore[no-untyped-call]
    assert file.stat().st_blocks * 512 < file.stat().st_size


async def test_strawberrys_view_breaks_on_a_body_that_is_no_object() -> None:
    async with plain() as client:
        with pytest.raises(AttributeError):
            await client.post("/", content="5", headers={"Content-Type": "application/json"})


async def test_strawberrys_view_does_not_know_the_media_type_of_graphql() -> None:
    async with plain() as client:
        response = await client.post(
            "/", json={"query": "{ nothing }"}, headers={"Accept": "application/graphql-response+json"}
        )
    assert response.headers["content-type"] == "application/json"
    assert response.status_code == 200
    assert response.json()["data"] is None


async def test_strawberrys_view_answers_a_query_by_get_to_any_page() -> None:
    async with plain() as client:
        assert (await client.get("/", params={"query": "{ a }"})).json() == {"data": {"a": 1}}


async def test_strawberrys_depth_limiter_breaks_on_an_unknown_fragment() -> None:
    schema = strawberry.Schema(Query, extensions=[lambda: QueryDepthLimiter(max_depth=3)])
    result = await schema.execute("{ ...Nothing }")
    assert isinstance((result.errors or [])[0].original_error, KeyError)


def test_strawberry_frames_events_with_crlf() -> None:
    assert "\r\n" in SSETransport().encode_next({"data": {}}, lambda _: "{}")


Connected = tuple[WebSocketsSansIOProtocol, Wire]


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def connected() -> Connected:
    """Connect a client to uvicorn's WebSockets, of which nothing was sent yet."""
    config = uvicorn.Config(nothing, ws="websockets-sansio", ws_per_message_deflate=False, log_config=None)
    config.load()
    protocol, wire = WebSocketsSansIOProtocol(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


@pytest.fixture
async def opened(connected: Connected) -> Connected:
    """Open a WebSocket of uvicorn's."""
    protocol, _ = connected
    protocol.data_received(handshake("http://localhost"))
    await protocol.send({"type": "websocket.accept"})
    return connected


NO_UTF_8 = frame(b"\xff")
FAREWELL = frame(b"\x03\xe8", Opcode.CLOSE)


@pytest.mark.parametrize("line", ["X: " + "a" * 9_000, "Content-Length: 5"])
async def test_uvicorn_leaves_a_handshake_that_cannot_be_read_unanswered(connected: Connected, line: str) -> None:
    protocol, wire = connected
    protocol.data_received(handshake("http://localhost", line))
    assert protocol.conn.handshake_exc is not None
    assert (wire.written, wire.closed) == (b"", False)
    with pytest.raises(AssertionError):
        protocol.shutdown()


async def test_uvicorn_forgets_that_a_refusal_in_http_is_an_answer_to_a_handshake(connected: Connected) -> None:
    protocol, wire = connected
    protocol.data_received(handshake("http://localhost"))
    await protocol.send({"type": "websocket.http.response.start", "status": 400, "headers": []})
    await protocol.send({"type": "websocket.http.response.body", "body": b""})
    assert wire.written.startswith(b"HTTP/1.1 400 ")
    assert not protocol.handshake_complete


async def test_uvicorn_logs_the_query_of_a_handshake(connected: Connected, log: Log) -> None:
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)  # as it is where nobody has told it otherwise
    protocol, _ = connected
    protocol.data_received(handshake("http://localhost", target="/graphql?token=x"))
    await protocol.send({"type": "websocket.accept"})
    assert "token=x" in log.text


async def test_uvicorn_takes_text_that_is_no_utf_8_for_a_fault_of_ours(opened: Connected, log: Log) -> None:
    protocol, _ = opened
    protocol.data_received(NO_UTF_8)
    assert "exception" in log.complaints()[0]
    with pytest.raises(RuntimeError, match="after sending"):
        await protocol.send({"type": "websocket.send", "text": "x"})


async def test_uvicorn_breaks_on_text_that_is_no_utf_8_and_a_farewell(opened: Connected) -> None:
    protocol, _ = opened
    with pytest.raises(InvalidState):
        protocol.data_received(NO_UTF_8 + FAREWELL)


async def test_uvicorn_waits_for_ever_for_a_client_that_is_not_there(opened: Connected) -> None:
    protocol, wire = opened
    protocol.keepalive_timeout()
    assert (wire.closed, wire.aborted) == (True, False)


async def test_uvicorn_cannot_end_while_a_client_that_said_farewell_does_not_read(opened: Connected) -> None:
    protocol, _ = opened
    protocol.data_received(FAREWELL)
    with pytest.raises(InvalidState):
        protocol.shutdown()


async def test_uvicorn_reads_on_while_nobody_reads_its_pongs(opened: Connected) -> None:
    protocol, wire = opened
    protocol.pause_writing()
    protocol.data_received(frame(b"x" * 125, Opcode.PING) * 1_000)
    assert len(wire.written) > 100_000
    assert wire.is_reading()


async def test_uvicorn_goes_on_writing_to_a_client_that_left(opened: Connected) -> None:
    protocol, wire = opened
    wire.close()
    await protocol.send({"type": "websocket.send", "text": "anybody?"})  # at the fifth time, asyncio warns
    assert b"anybody?" in wire.written


class Colour(Enum):
    RED = "red"


@strawberry.type
class OfColours:
    @strawberry.field
    def a(self, colour: Colour) -> int:
        return 1


def test_a_sorted_schema_forgets_the_members_of_enums() -> None:
    """So `schema/build.py` sets them again, and resolvers get members and no bare values."""
    strawberry.enum(Colour)
    kinds = [strawberry.Schema(OfColours, config=StrawberryConfig(sort_schema=sort))._schema for sort in (False, True)]
    coerced = [cast(GraphQLEnumType, kind.type_map["Colour"]).coerce_input_value("RED") for kind in kinds]
    assert coerced == [Colour.RED, "red"]
