"""Tracing: one span per operation, exported if the standard OpenTelemetry variables name an endpoint."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

from starlette.types import ASGIApp, Receive, Scope, Send

from marginalia.transports.runner import Observer, OperationRecord

HEADERS = ("traceparent", "tracestate")
"""The request headers of the trace context."""

SHUTDOWN_TIMEOUT_S = 2.0
"""How long a shutdown waits until the remaining spans are exported."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@dataclass(frozen=True)
class Tracing:
    """The active tracing."""

    watch: Observer
    end: Callable[[], None]
    """Exports the remaining spans, or gives up after `SHUTDOWN_TIMEOUT_S`."""


def from_environment() -> Tracing | None:
    """Return the tracing if the environment names an endpoint. Otherwise OpenTelemetry is not imported."""
    if _off() or not any(os.environ.get(name) for name in _ENDPOINTS):
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind, StatusCode

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "marginalia"}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("marginalia")

    @contextmanager
    def traced(run: OperationRecord) -> Iterator[None]:
        # Follows the semantic conventions for GraphQL servers. The span name omits the operation name, because clients
        # choose it. The operation text is never recorded, because it may hold what people wrote.
        started = time.time_ns() - round((time.perf_counter() - run.started) * 1e9)
        name = run.kind or "GraphQL Operation"
        with tracer.start_as_current_span(name, kind=SpanKind.SERVER, start_time=started) as span:
            if run.kind:
                span.set_attribute("graphql.operation.type", run.kind)
            if run.name:
                span.set_attribute("graphql.operation.name", run.name)
            yield
            if run.outcome in ("fault", "timeout"):
                span.set_status(StatusCode.ERROR)
                span.set_attribute("error.type", run.code or run.outcome)

    def watch(run: OperationRecord) -> Callable[[], None]:
        tracing = traced(run)
        tracing.__enter__()

        def end() -> None:
            tracing.__exit__(None, None, None)

        return end

    def end() -> None:
        # A daemon thread, which the process does not wait for: the exporter retries an unreachable endpoint for ten
        # seconds.
        ending = Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(SHUTDOWN_TIMEOUT_S)

    return Tracing(watch, end)


def _off() -> bool:
    exporter, disabled = (os.environ.get(name, "") for name in ("OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"))
    return exporter.strip().lower() == "none" or disabled.strip().lower() == "true"


class Continued:
    """Middleware that continues the trace of a request's `traceparent` header."""

    def __init__(self, app: ASGIApp) -> None:
        from opentelemetry import context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._app = app
        self._context = context
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within the caller's trace."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        token = self._context.attach(self._propagator.extract(carrier))
        try:
            await self._app(scope, receive, send)
        finally:
            self._context.detach(token)
