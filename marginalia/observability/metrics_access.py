"""Access to the metrics: they tell more than the world should know."""

from collections.abc import Awaitable, Callable, Collection

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from marginalia.transports.forwarded import Networks, check_network, client_address, is_unix, was_forwarded

LOOPBACK = ("127.0.0.0/8", "::1")

EXAMPLE = "MARGINALIA_METRICS_CLIENTS=127.0.0.1,10.1.2.3"

Endpoint = Callable[[Request], Awaitable[Response]]


def check_entry(given: str) -> str:
    """Return the normalized entry of the setting: an IP address or a network."""
    return check_network(given, EXAMPLE)


def guarded(page: Endpoint, clients: Collection[str]) -> Endpoint:
    """Return an endpoint that serves a page to some networks and the Unix socket; to others it does not exist.

    A request that came through a proxy is refused, whether we trust the proxy or not: an open path on a proxy is the
    usual way for metrics to leak.
    """
    networks = Networks(clients)

    async def answer(request: Request) -> Response:
        is_near = is_unix(request.scope) or client_address(request.scope) in networks
        if not is_near or was_forwarded(request.scope):
            return PlainTextResponse("Not Found", 404)
        return await page(request)

    return answer
