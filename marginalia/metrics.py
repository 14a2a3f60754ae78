"""Metrics: figures about the operations of a process, in the form that Prometheus reads."""

import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from tempfile import TemporaryDirectory

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from db.database import Database
from db.openings import Openings
from marginalia.running import Run
from schema.operations import Operations

NAMES = 200
"""How many names of operations are told apart; clients choose them, and each one is kept for good."""

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder through which the processes of one server put their figures together."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_STATEMENTS = (0, 1, 2, 3, 5, 10, 20, 50, 100)


class Metrics:
    """The figures of one application."""

    def __init__(self, operations: Operations, database: Database, openings: Openings) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Current(operations, database, openings))
        self._operations = Counter(
            "graphql_operations",
            "Operations that ended, also those that were refused.",
            ("name", "type", "way", "outcome"),
            registry=self._registry,
        )
        self._running = Gauge(
            "graphql_operations_running",
            "Operations that are being run.",
            ("type",),
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._seconds = Histogram(
            "graphql_operation_seconds",
            "How long a query or a mutation took.",
            ("type",),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._statements = Histogram(
            "graphql_operation_statements",
            "Statements that a query or a mutation sent to the database.",
            ("type",),
            registry=self._registry,
            buckets=_STATEMENTS,
        )
        self._names: set[str] = set()
        self._ended: dict[tuple[str, str, str, str], Counter] = {}
        self._kinds: dict[str, tuple[Gauge, Histogram, Histogram]] = {}

    def watch(self, run: Run) -> AbstractContextManager[None]:
        """Count a run, and measure it."""
        return self._watched(run, run.kind or "unknown")

    @contextmanager
    def _watched(self, run: Run, kind: str) -> Iterator[None]:
        running, seconds, statements = self._of(kind)
        running.inc()
        try:
            yield
        finally:
            running.dec()
            self._count(self._name(run.name), kind, run.way, run.outcome)
            if kind != "subscription" and run.outcome != "refused":
                seconds.observe(time.perf_counter() - run.started)
                statements.observe(run.tally.statements)

    def page(self) -> Callable[[Request], Awaitable[Response]]:
        """Make the endpoint that Prometheus asks."""
        registry = self._registry
        if SHARED_FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # it registers itself

        async def answer(_request: Request) -> Response:
            return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

        return answer

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

    def _name(self, name: str | None) -> str:
        if not name or name in self._names:
            return name or ""
        if len(self._names) == NAMES:
            return "other"
        self._names.add(name)
        return name


@contextmanager
def shared() -> Iterator[None]:
    """Let the processes that are started within the block put their figures together."""
    with TemporaryDirectory(prefix="marginalia-metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        yield


class _Current(Collector):
    """Figures that are kept elsewhere, and read when somebody asks."""

    def __init__(self, operations: Operations, database: Database, openings: Openings) -> None:
        self._operations = operations
        self._database = database
        self._openings = openings

    def collect(self) -> Iterator[Metric]:
        """Read them."""
        texts = CounterMetricFamily(
            "graphql_texts", "Texts of operations, remembered or read for the first time.", labels=("cache",)
        )
        texts.add_metric(("hit",), self._operations.found)
        texts.add_metric(("miss",), self._operations.read)
        yield texts
        connections = GaugeMetricFamily(
            "database_connections_in_use", "Connections that are at work.", labels=("pool",)
        )
        for pool, count in self._database.in_use.items():
            connections.add_metric((pool,), count)
        yield connections
        yield GaugeMetricFamily(
            "graphql_subscribers", "Who follows the chats of a document.", value=self._openings.followers
        )
