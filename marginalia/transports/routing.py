"""Routing: each path is served with and without a trailing slash."""

from collections.abc import Callable
from typing import Any

from starlette.routing import BaseRoute


def with_slash(route: Callable[[str, Any], BaseRoute], path: str, endpoint: Any) -> list[BaseRoute]:
    """Return both routes of a path. A redirect would lose a proxy's prefix, and the body of a POST."""
    return [route(path, endpoint), route(f"{path}/", endpoint)]
