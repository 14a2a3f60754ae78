"""Metrics: the operations of a process, in the Prometheus format."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response

from db.chat_feed import ChatFeed
from db.connection.database import Database
from engine.operation_cache import OperationCache
from marginalia.observability import metrics_workers
from marginalia.transports.connection_limit import ConnectionLimit
from marginalia.transports.runner import OperationRecord

PUBLISH_INTERVAL_S = 1.0
"""The interval at which a worker publishes its sampled metrics to the other workers."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_STATEMENTS = (0, 1, 2, 3, 5, 10, 20, 50, 100)


class Metrics:
    """The metrics of one application."""

    def __init__(
        self, operations: OperationCache, database: Database, chat_feed: ChatFeed, connection_limit: ConnectionLimit
    ) -> None:
        self._registry = CollectorRegistry()
        self._sampled = _Sampled(self._registry, operations, database, chat_feed, connection_limit)
        self._operations = Counter(
            "marginalia_operations",
            "Operations that ended, including refused ones.",
            ("name", "type", "transport", "outcome"),
            registry=self._registry,
        )
        self._running = _gauge(self._registry, "marginalia_operations_in_flight", "Operations in progress.", ("type",))
        self._seconds = Histogram(
            "marginalia_operation_duration_seconds",
            "The duration of a query or mutation, in seconds.",
            ("type",),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._statements = Histogram(
            "marginalia_operation_statements",
            "Database statements sent by a query or mutation.",
            ("type",),
            registry=self._registry,
            buckets=_STATEMENTS,
        )
        self._retries = Counter(
            "marginalia_retries",
            "Retries after a lost database conflict.",
            ("type",),
            registry=self._registry,
        )
        self._unavailable = Counter(
            "marginalia_database_unavailable",
            "How often the database was temporarily unavailable.",
            ("type",),
            registry=self._registry,
        )
        self._ended: dict[tuple[str, str, str, str], Counter] = {}
        self._kinds: dict[str, tuple[Gauge, Histogram, Histogram]] = {}

    def watch(self, run: OperationRecord) -> Callable[[], None]:
        """Count and measure an operation."""
        kind = run.kind or "unknown"
        running, seconds, statements = self._of(kind)
        running.inc()

        def end() -> None:
            running.dec()
            self._count(_name(run), kind, run.transport, run.outcome)
            if kind != "subscription" and run.outcome != "refused":
                seconds.observe(time.perf_counter() - run.started)
                statements.observe(run.query_stats.statements)
            if run.query_stats.retries:
                self._retries.labels(kind).inc(run.query_stats.retries)
            if run.query_stats.unavailable:
                self._unavailable.labels(kind).inc(run.query_stats.unavailable)

        return end

    def page(self) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint that Prometheus scrapes."""
        registry = self._registry
        folder = os.environ.get(metrics_workers.FOLDER)
        if folder:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call] # it registers itself

        async def answer(_request: Request) -> Response:
            self._sampled.sample()
            if folder:
                metrics_workers.forget_the_dead(folder)
            return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

        return answer

    @asynccontextmanager
    async def published(self) -> AsyncIterator[None]:
        """While the block runs, publish the sampled metrics of this process to the other workers."""
        if metrics_workers.FOLDER not in os.environ:
            yield
            return
        publishing = asyncio.create_task(self._publish_repeatedly())
        try:
            yield
        finally:
            publishing.cancel()
            await asyncio.wait([publishing])

    async def _publish_repeatedly(self) -> None:
        while True:
            self._sampled.sample()
            await asyncio.sleep(PUBLISH_INTERVAL_S)

    def _count(self, *labels: str) -> None:
        # Cached here: the library validates and joins the labels at each call.
        key = (labels[0], labels[1], labels[2], labels[3])
        if key not in self._ended:
            self._ended[key] = self._operations.labels(*labels)
        self._ended[key].inc()

    def _of(self, kind: str) -> tuple[Gauge, Histogram, Histogram]:
        if kind not in self._kinds:
            self._kinds[kind] = (
                self._running.labels(kind),
                self._seconds.labels(kind),
                self._statements.labels(kind),
            )
        return self._kinds[kind]


class _Sampled:
    """Metrics that are sampled from other objects."""

    def __init__(
        self,
        registry: CollectorRegistry,
        operations: OperationCache,
        database: Database,
        chat_feed: ChatFeed,
        connection_limit: ConnectionLimit,
    ) -> None:
        self._operations = operations
        self._database = database
        self._chat_feed = chat_feed
        self._connection_limit = connection_limit
        self._texts = Counter(
            "marginalia_operation_cache_lookups",
            "Lookups of operation texts in the operation cache.",
            ("result",),
            registry=registry,
        )
        self._connections = _gauge(
            registry, "marginalia_database_connections_in_use", "Connections checked out of the pool.", ("pool",)
        )
        self._subscribers = _gauge(
            registry, "marginalia_subscribers", "Established subscriptions to the chats of a document."
        )
        self._tasks = _gauge(registry, "marginalia_asyncio_tasks", "Asyncio tasks that have not ended.")
        self._refused = Counter(
            "marginalia_connections_refused", "Connections refused because there were too many.", registry=registry
        )
        self._counted = {"hit": 0, "miss": 0, "refused": 0}

    def sample(self) -> None:
        """Sample the current values."""
        for result, count in (("hit", self._operations.hits), ("miss", self._operations.misses)):
            self._texts.labels(result).inc(count - self._counted[result])
            self._counted[result] = count
        self._refused.inc(self._connection_limit.refused - self._counted["refused"])
        self._counted["refused"] = self._connection_limit.refused
        for pool, connections in self._database.in_use.items():
            self._connections.labels(pool).set(connections)
        self._subscribers.set(self._chat_feed.subscribers)
        self._tasks.set(len(asyncio.all_tasks()))


def _name(run: OperationRecord) -> str:
    # Only names from the operator's manifest: clients choose all others, and each would stay a time series for good.
    return (run.name or "") if run.is_trusted else ""


def _gauge(registry: CollectorRegistry, name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
    """Create a gauge that is the sum over the live processes."""
    return Gauge(name, documentation, labels, registry=registry, multiprocess_mode="livesum")
