"""The ASGI application: its routes, middleware and lifespan."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Lifespan

from db.chat_feed import ChatFeed
from db.connection.database import Database
from db.storage_quota import StorageQuota
from engine.operation_cache import OperationCache
from engine.persisted_operations import PersistedOperations
from marginalia import explorer, file_limits
from marginalia.authentication import configured
from marginalia.authentication.authentication import Authentication
from marginalia.authentication.watch import SessionWatch
from marginalia.manifest import read_manifest
from marginalia.observability import log_config, metrics_access, tracing
from marginalia.observability.access_log import access_log
from marginalia.observability.health import Readiness, livez
from marginalia.observability.metrics import Metrics
from marginalia.rates.rates import Rates
from marginalia.settings import Settings, read_settings
from marginalia.startup import Preparation
from marginalia.transports.connection_limit import ConnectionLimit, throttle_accept_errors
from marginalia.transports.forwarded import ForwardedMiddleware
from marginalia.transports.hosts import AllowedHosts, HostMiddleware
from marginalia.transports.http import GraphQLView, HttpOptions
from marginalia.transports.origins import AllowedOrigins, CrossOriginMiddleware, OriginRefusals
from marginalia.transports.root_path import RootPathMiddleware
from marginalia.transports.routing import with_slash
from marginalia.transports.runner import Observer, Runner
from marginalia.transports.security_headers import SecurityHeaders
from marginalia.transports.uploads import LARGEST_UPLOAD, UPLOADS_AT_ONCE, UploadBudget
from marginalia.transports.websocket import SocketLimits, SocketView
from schema.build import RULES, graphql_schema

if TYPE_CHECKING:
    from marginalia.rates.rate_limits import RateLimits  # loaded only with limits

_log = structlog.stdlib.get_logger("marginalia.app")


def create_app(settings: Settings, authentication: Authentication | None = None) -> Starlette:
    """Create the application. The database is opened at startup.

    `authentication` replaces that of the settings. Raises `BadDatabaseUrl`, `BadManifest` and `BadKey`.
    """
    database = Database(settings.database_url, pool_size=settings.pool_size, lock_timeout=settings.lock_timeout)
    authentication = authentication or configured.authentication(settings, database)
    watch = SessionWatch()
    preparation, ending = Preparation(database), asyncio.Event()
    chat_feed = ChatFeed(database, settings.event_seconds)
    operations = _operations(settings)
    connection_limit = ConnectionLimit(file_limits.room_for_connections(settings.max_connections, settings.pool_size))
    metrics, spans = Metrics(operations, database, chat_feed, connection_limit), tracing.from_environment()
    observers = [access_log, *([metrics.watch] if settings.metrics else []), *([spans.watch] if spans else [])]
    rate_limits = _rate_limits(settings)
    quota = StorageQuota(database, settings.max_workspace_bytes) if settings.max_workspace_bytes else None
    runner = _runner(settings, operations, database, chat_feed, watch, observers, rate_limits, quota)
    budget = UploadBudget(UPLOADS_AT_ONCE * max(settings.max_body_bytes, LARGEST_UPLOAD))
    view = GraphQLView(
        runner,
        authentication,
        HttpOptions(
            settings.max_body_bytes,
            settings.max_url_bytes,
            draft_statuses=settings.status_codes == "draft",
            has_explorer=settings.explorer,
        ),
        budget,
    )
    socket_limits = SocketLimits(
        settings.max_socket_operations, settings.max_socket_message_bytes, settings.socket_init_seconds
    )
    allowed, refusals = AllowedOrigins(settings.allowed_origins), OriginRefusals()
    sockets = SocketView(runner, authentication, watch, socket_limits, allowed, refusals)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await preparation.begin()
        try:
            async with metrics.published():
                yield
        finally:
            await preparation.end()
            await chat_feed.close()
            await watch.close()
            await authentication.close()
            if quota:
                await quota.close()
            await database.close()
            if rate_limits:
                await rate_limits.close()
            if spans:
                await asyncio.to_thread(spans.end)

    app = Starlette(
        routes=[
            *with_slash(Route, "/graphql", view),
            *with_slash(WebSocketRoute, "/graphql", sockets),
            *with_slash(Route, "/livez", livez),
            *with_slash(Route, "/readyz", Readiness(database, preparation, ending).answer),
            *(_metrics_routes(metrics, settings) if settings.metrics else []),
            *(explorer.routes() if settings.explorer else []),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            *([Middleware(ForwardedMiddleware, settings.trusted_proxies)] if settings.auth == "tokens" else []),
            Middleware(HostMiddleware, AllowedHosts(settings.allowed_hosts)),
            *([Middleware(RootPathMiddleware, settings.root_path)] if settings.root_path else []),
            Middleware(CrossOriginMiddleware, allowed, refusals),
            *([Middleware(tracing.Continued)] if spans else []),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.database = database
    app.state.chat_feed = chat_feed
    app.state.watch = watch
    app.state.operations = operations
    app.state.ending = ending
    app.state.preparation = preparation
    app.state.uploads = budget
    app.state.connection_limit = connection_limit
    return app


def _metrics_routes(metrics: Metrics, settings: Settings) -> list[BaseRoute]:
    return with_slash(Route, "/metrics", metrics_access.guarded(metrics.page(), settings.metrics_clients))


def _operations(settings: Settings) -> OperationCache:
    return OperationCache(
        graphql_schema(),
        settings.limits,
        RULES,
        introspection=settings.introspection,
        suggestions=settings.suggestions,
    )


def _runner(
    settings: Settings,
    operations: OperationCache,
    database: Database,
    chat_feed: ChatFeed,
    watch: SessionWatch,
    observers: Sequence[Observer],
    rate_limits: "RateLimits | None",
    quota: StorageQuota | None,
) -> Runner:
    manifest = read_manifest(settings.trusted_documents) if settings.trusted_documents else None
    return Runner(
        operations,
        PersistedOperations(settings.trust, manifest),
        database,
        chat_feed,
        query_time=settings.query_seconds,
        mutation_time=settings.mutation_seconds,
        watch=watch,
        observers=observers,
        rate_limits=rate_limits,
        quota=quota,
    )


def _rate_limits(settings: Settings) -> "RateLimits | None":
    rates = settings.rates(settings.auth)
    if rates == Rates():
        return None
    from marginalia.rates.counters import open_counters
    from marginalia.rates.rate_limits import RateLimits

    return RateLimits(rates, open_counters(settings.rate_storage))


def from_environment() -> Starlette:
    """Create the application from the environment; the entry point of a worker process."""
    settings = read_settings()
    log_config.configure(settings.log_level)
    app = create_app(settings)
    app.router.lifespan_context = _ending_with_the_process(app)
    # The objects made so far are permanent. Without the freeze, every full collection scans them all, which blocks the
    # event loop for 40 ms.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    return app


def _ending_with_the_process(app: Starlette) -> Lifespan[Starlette]:
    """Set `ending` on a stop signal, and end subscriptions: uvicorn waits for them, and they would never end."""
    serving = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        loop = asyncio.get_running_loop()
        ending: set[asyncio.Task[None]] = set()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def end(number: int, frame: FrameType | None) -> None:
            app.state.ending.set()
            loop.call_soon_threadsafe(lambda: ending.add(asyncio.create_task(app.state.chat_feed.close())))
            if callable(handler := handlers[signal.Signals(number)]):
                handler(number, frame)

        for number in handlers:
            signal.signal(number, end)
        throttle_accept_errors(loop)
        async with serving(app):
            _log.info("process started", max_connections=app.state.connection_limit.most, process_id=os.getpid())
            # For the connection protocols: they see nothing else of the application.
            yield {name: getattr(app.state, name) for name in ("ending", "uploads", "connection_limit")}
        _log.info("process ended", process_id=os.getpid())

    return cast(Lifespan[Starlette], lifespan)
