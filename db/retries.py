"""Retries: how often whoever lost against somebody else tries, and how long it waits in between."""

import asyncio
import random

ATTEMPTS = 5
"""How often something is tried in all."""


async def pause(attempt: int) -> None:
    """Wait a little after the attempt of that number, from 1, the longer the later, so that two who collided part."""
    await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, not a secret
