"""Tracing: a span for each run of an operation, sent where OpenTelemetry's own variables say; otherwise none."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Thread

from starlette.types import ASGIApp, Receive, Scope, Send

from marginalia.transports.runner import Observer, OperationRecord

HEADERS = ("traceparent", "tracestate")
"""The headers of a request that say of which trace it is a part."""

LONGEST_END = 2.0
"""How many seconds the end of the process waits until what is left has been sent."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@dataclass(frozen=True)
class Tracing:
    """What traces, once it is on."""

    watch: Observer
    end: Callable[[], None]
    """Sends what has not been sent, or gives it up soon."""


def from_environment() -> Tracing | None:
    """Return what traces, if the environment names a place to send spans to; nothing is imported otherwise."""
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
        # By the semantic conventions for GraphQL servers. The name of the operation is not in that of the span, because
        # clients choose it; and its text nowhere, for that may hold what people wrote.
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

    def watch(run: OperationRecord) -> AbstractContextManager[None]:
        return traced(run)

    def end() -> None:
        # In a thread that the process does not wait for: whoever cannot be reached is asked again for ten seconds.
        ending = Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(LONGEST_END)

    return Tracing(watch, end)


def _off() -> bool:
    exporter, disabled = (os.environ.get(name, "") for name in ("OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"))
    return exporter.strip().lower() == "none" or disabled.strip().lower() == "true"


class Continued:
    """Middleware: what a request is part of, by its `traceparent`, its spans are part of too."""

    def __init__(self, app: ASGIApp) -> None:
        from opentelemetry import context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._app = app
        self._context = context
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within the trace of the caller."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        token = self._context.attach(self._propagator.extract(carrier))
        try:
            await self._app(scope, receive, send)
        finally:
            self._context.detach(token)
