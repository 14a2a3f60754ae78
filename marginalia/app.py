"""The application: what is served where."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route

from db.database import Database
from marginalia import explorer, logs
from marginalia.graphql import GraphQLView, Identify
from marginalia.health import livez, readyz
from marginalia.principals import local_owner
from marginalia.settings import Settings
from marginalia.startup import prepare
from schema.build import build_schema

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The hosts that are served; any other name in a request is a web page that was led here by its DNS."""


def create_app(settings: Settings, identify: Identify = local_owner) -> Starlette:
    """Put the application together; `identify` tells who is asking. It opens its database when it starts."""
    database = Database(settings.database_url, pool_size=settings.pool_size, lock_timeout=settings.lock_timeout)
    view = GraphQLView(build_schema(), database, identify, max_body_bytes=settings.max_body_bytes)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await prepare(database)
        yield
        await database.close()

    app = Starlette(
        routes=[
            Route("/graphql", view),
            Route("/livez", livez),
            Route("/readyz", readyz(database)),
            *(explorer.routes() if settings.explorer else []),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=_in_urls(LOOPBACK), www_redirect=False)],
        lifespan=lifespan,
    )
    app.state.database = database
    return app


def _in_urls(hosts: Iterable[str]) -> list[str]:
    return [f"[{host}]" if ":" in host else host for host in hosts]


def from_environment() -> Starlette:
    """Put the application together from the environment: what a worker process is started with."""
    settings = Settings()
    logs.configure(settings.log_level)
    return create_app(settings)
