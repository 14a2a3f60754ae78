"""Shutdown: connections that are made while the server is ending."""

import asyncio
from typing import Any

LATE_SHUTDOWN_DELAY_S = 0.1
"""How long after its start a connection made during shutdown is told to end."""


def end_with_the_others(connection: Any, app_state: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
    """End a connection that was made during shutdown: uvicorn has already told the others to end, and does so once."""

    def end() -> None:
        if connection in connection.connections:  # it may be gone, or upgraded to a WebSocket
            connection.shutdown()

    if "ending" in app_state and app_state["ending"].is_set():
        loop.call_later(LATE_SHUTDOWN_DELAY_S, end)
