"""Routing: each path with a slash at its end and without, served alike."""

from collections.abc import Callable
from typing import Any

from starlette.routing import BaseRoute


def with_slash(route: Callable[[str, Any], BaseRoute], path: str, endpoint: Any) -> list[BaseRoute]:
    """Return the routes of a path. A redirect would lose the prefix under which a proxy serves it, and a POST."""
    return [route(path, endpoint), route(f"{path}/", endpoint)]
