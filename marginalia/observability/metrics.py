"""Metrics: figures about the operations of a process, in the form that Prometheus reads."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response

from db.chat_feed import ChatFeed
from db.connection.database import Database
from engine.operation_cache import OperationCache
from marginalia.observability import metrics_workers
from marginalia.transports.runner import OperationRecord

INTERVAL = 1.0
"""How many seconds pass before a process tells the others again what is kept elsewhere."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_STATEMENTS = (0, 1, 2, 3, 5, 10, 20, 50, 100)


class Metrics:
    """The figures of one application."""

    def __init__(self, operations: OperationCache, database: Database, openings: ChatFeed) -> None:
        self._registry = CollectorRegistry()
        self._noted = _Noted(self._registry, operations, database, openings)
        self._operations = Counter(
            "marginalia_operations",
            "Operations that ended, also those that were refused.",
            ("name", "type", "transport", "outcome"),
            registry=self._registry,
        )
        self._running = _gauge(
            self._registry, "marginalia_operations_in_flight", "Operations that are being run.", ("type",)
        )
        self._seconds = Histogram(
            "marginalia_operation_duration_seconds",
            "How long a query or a mutation took.",
            ("type",),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._statements = Histogram(
            "marginalia_operation_statements",
            "Statements that a query or a mutation sent to the database.",
            ("type",),
            registry=self._registry,
            buckets=_STATEMENTS,
        )
        self._retries = Counter(
            "marginalia_retries",
            "How often something was tried again that had lost against somebody else.",
            ("type",),
            registry=self._registry,
        )
        self._unavailable = Counter(
            "marginalia_database_unavailable",
            "How often the database did not decide in time.",
            ("type",),
            registry=self._registry,
        )
        self._ended: dict[tuple[str, str, str, str], Counter] = {}
        self._kinds: dict[str, tuple[Gauge, Histogram, Histogram]] = {}

    def watch(self, run: OperationRecord) -> AbstractContextManager[None]:
        """Count a run, and measure it."""
        return self._watched(run, run.kind or "unknown")

    @contextmanager
    def _watched(self, run: OperationRecord, kind: str) -> Iterator[None]:
        running, seconds, statements = self._of(kind)
        running.inc()
        try:
            yield
        finally:
            running.dec()
            self._count(_name(run), kind, run.transport, run.outcome)
            if kind != "subscription" and run.outcome != "refused":
                seconds.observe(time.perf_counter() - run.started)
                statements.observe(run.query_stats.statements)
            if run.query_stats.retries:
                self._retries.labels(kind).inc(run.query_stats.retries)
            if run.query_stats.unavailable:
                self._unavailable.labels(kind).inc(run.query_stats.unavailable)

    def page(self) -> Callable[[Request], Awaitable[Response]]:
        """Make the endpoint that Prometheus asks."""
        registry = self._registry
        folder = os.environ.get(metrics_workers.FOLDER)
        if folder:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call] # it registers itself

        async def answer(_request: Request) -> Response:
            self._noted.note()
            if folder:
                metrics_workers.forget_the_dead(folder)
            return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

        return answer

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Let the other processes know, for as long as the block lasts, what they cannot ask this one."""
        if metrics_workers.FOLDER not in os.environ:
            yield
            return
        telling = asyncio.create_task(self._tell_on())
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.wait([telling])

    async def _tell_on(self) -> None:
        while True:
            self._noted.note()
            await asyncio.sleep(INTERVAL)

    def _count(self, *labels: str) -> None:
        # Found by ourselves: the library checks and joins the labels anew each time.
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


class _Noted:
    """Figures that are kept elsewhere, and noted at times."""

    def __init__(
        self, registry: CollectorRegistry, operations: OperationCache, database: Database, openings: ChatFeed
    ) -> None:
        self._operations = operations
        self._database = database
        self._openings = openings
        self._texts = Counter(
            "marginalia_operation_cache_lookups",
            "Texts of operations, remembered or read for the first time.",
            ("result",),
            registry=registry,
        )
        self._connections = _gauge(
            registry, "marginalia_database_connections_in_use", "Connections that are at work.", ("pool",)
        )
        self._subscribers = _gauge(registry, "marginalia_subscribers", "Who follows the chats of a document.")
        self._tasks = _gauge(registry, "marginalia_asyncio_tasks", "Tasks that have not ended.")
        self._counted = {"hit": 0, "miss": 0}

    def note(self) -> None:
        """Note them as they are now."""
        for result, count in (("hit", self._operations.found), ("miss", self._operations.read)):
            self._texts.labels(result).inc(count - self._counted[result])
            self._counted[result] = count
        for pool, connections in self._database.in_use.items():
            self._connections.labels(pool).set(connections)
        self._subscribers.set(self._openings.followers)
        self._tasks.set(len(asyncio.all_tasks()))


def _name(run: OperationRecord) -> str:
    # Only what the operator has named in the manifest: clients choose the others, and each would be kept for good.
    return (run.name or "") if run.is_trusted else ""


def _gauge(registry: CollectorRegistry, name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
    """Make a gauge that is the sum of what the processes show which live."""
    return Gauge(name, documentation, labels, registry=registry, multiprocess_mode="livesum")
