"""Published documents of an issuer: small JSON objects, fetched over HTTPS with limits on size and time."""

import ipaddress
import json
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

FETCH_TIMEOUT_S = 5.0
"""The timeout of each step of a fetch: to connect, to send, and to read a piece."""

LARGEST_DOCUMENT = 500_000
"""The maximum size of a document, in bytes."""


class FetchFailed(Exception):
    """A document cannot be fetched. The text is the reason, in one line."""


def is_safe(url: str) -> bool:
    """Whether nobody on the way can change what this URL gives: HTTPS, or this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and (host == "localhost" or _is_loopback(host))


async def fetch(url: str) -> Mapping[str, Any]:
    """Fetch a JSON object. Redirects are not followed. Raises `FetchFailed`."""
    if not is_safe(url):
        raise FetchFailed("its URL is not https")
    data = bytearray()
    try:
        async with (
            httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, follow_redirects=False, verify=_trusted()) as client,
            client.stream("GET", url, headers={"Accept": "application/json"}) as response,
        ):
            if response.status_code != 200:
                raise FetchFailed(f"the answer is {response.status_code}")
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > LARGEST_DOCUMENT:
                    raise FetchFailed(f"it is longer than {LARGEST_DOCUMENT:,} bytes")
        document = json.loads(data)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchFailed(f"it cannot be reached: {type(error).__name__}") from error
    except (ValueError, RecursionError):
        raise FetchFailed("it is not JSON") from None
    if not isinstance(document, dict):
        raise FetchFailed("it is not an object")
    return document


@cache
def _trusted() -> ssl.SSLContext:
    # Reading the certificates takes some tens of milliseconds, in which nothing else is served.
    return httpx.create_ssl_context()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
