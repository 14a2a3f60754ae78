"""Tracing: spans as a collector of OpenTelemetry receives them."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.conftest import Serve
from tests.edge.outages import execute

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Collector:
    """Receives spans, and keeps them."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    collected = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collected.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield collected
        server.shutdown()


def attributes(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


async def test_each_operation_is_a_span_of_its_type(serve: Serve, collector: Collector) -> None:
    secret = "Xanthippe"  # noqa: S105 - what must not be told
    async with serve() as client:
        await client("query Titles { documents { edges { node { title } } } }")
        await client("mutation Make($title: String!) { createDocument(title: $title) { __typename } }", title=secret)
        await client.result("{ nothing }")

    titles, make, unknown = collector.spans
    assert collector.services == {"marginalia"}
    assert (titles.name, attributes(titles)) == (
        "query",
        {"graphql.operation.type": "query", "graphql.operation.name": "Titles"},
    )
    assert (make.name, attributes(make)["graphql.operation.name"]) == ("mutation", "Make")
    assert (unknown.name, attributes(unknown)) == ("GraphQL Operation", {})
    assert {span.kind for span in collector.spans} == {Span.SPAN_KIND_SERVER}
    assert {span.status.code for span in collector.spans} == {Status.STATUS_CODE_UNSET}
    assert secret not in str(collector.spans)


async def test_a_span_is_part_of_the_trace_that_the_request_is_part_of(serve: Serve, collector: Collector) -> None:
    async with serve() as client:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        await client.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        await client("{ __typename }")

    first, second = collector.spans
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == (TRACE, PARENT)
    assert second.trace_id.hex() != TRACE
    assert not second.parent_span_id


async def test_a_span_begins_with_the_reading_of_the_text(
    serve: Serve, collector: Collector, slowly_read: float
) -> None:
    async with serve() as client:
        await client("{ __typename }")
        await client.result("{ nothing }")

    for span in collector.spans:
        assert span.end_time_unix_nano - span.start_time_unix_nano >= slowly_read * 1e9


async def test_a_fault_makes_its_span_an_error(serve: Serve, collector: Collector) -> None:
    async with serve() as client:
        await execute(client.database, "ALTER TABLE documents RENAME TO hidden")
        assert (await client.result("{ documents { edges { node { title } } } }"))["errors"]

    (span,) = collector.spans
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert attributes(span)["error.type"] == "INTERNAL"


@pytest.mark.slow
async def test_a_collector_that_does_not_answer_does_not_hold_up_the_end(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
        async with serve() as client:
            await client("{ __typename }")
            started = time.monotonic()
        assert time.monotonic() - started < 20  # of the 30 that it is waited for otherwise
        connection, _ = silent.accept()
        with connection:  # answered at last, lest it be asked on while other tests run
            connection.recv(100_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            for thread in [thread for thread in threading.enumerate() if thread.daemon and thread not in before]:
                thread.join(20)
                assert not thread.is_alive()


@pytest.mark.parametrize(("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
async def test_nothing_is_sent_where_it_is_switched_off(
    serve: Serve, collector: Collector, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    async with serve() as client:
        await client("{ __typename }")

    assert collector.spans == []
