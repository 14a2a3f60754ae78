"""The session watch: ends the streams of a process whose credentials expire or are revoked, in one task for all."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass

import structlog

from db.connection.errors import DatabaseUnavailable
from marginalia.authentication.session import End, Session, SessionEnded

CHECK_INTERVAL_S = 0.5
"""The interval of the checks. With what a lookup may be old, a revocation is seen within 1.5 seconds."""

Allowed = Callable[[], Awaitable[bool]]
"""Tells whether the principal may still see what a stream shows."""

_log = structlog.stdlib.get_logger("marginalia.authentication")


@dataclass(eq=False, frozen=True)
class _Watched:
    session: Session
    interrupt: Callable[[SessionEnded], None]
    is_allowed: Allowed | None


class SessionWatch:
    """Checks the sessions of all streams and sockets of a process."""

    def __init__(self, interval: float = CHECK_INTERVAL_S) -> None:
        self._interval = interval
        self._watched: set[_Watched] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None

    @contextmanager
    def watching(
        self, session: Session, interrupt: Callable[[SessionEnded], None], is_allowed: Allowed | None = None
    ) -> Iterator[None]:
        """Call `interrupt`, perhaps more than once, if the session ends within the block, or is no longer allowed."""
        if not session.can_end and is_allowed is None:
            yield
            return
        watched = _Watched(session, interrupt, is_allowed)
        self._watched.add(watched)
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick(), context=Context())
        try:
            yield
        finally:
            self._watched.discard(watched)

    async def close(self) -> None:
        """Stop the checks."""
        tasks = [task for task in (self._ticking, self._checking) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _tick(self) -> None:
        while self._watched:
            await asyncio.sleep(self._interval)
            self._interrupt_ended()
            # Apart from the ticks: a database that hangs must not keep expired tokens alive.
            if self._checking is None or self._checking.done():
                self._checking = asyncio.create_task(self._check_all(), context=Context())

    def _interrupt_ended(self) -> None:
        for watched in tuple(self._watched):
            if end := watched.session.end:
                watched.interrupt(SessionEnded(end))

    async def _check_all(self) -> None:
        sessions = {watched.session for watched in self._watched}
        limited = [(watched, is_allowed) for watched in self._watched if (is_allowed := watched.is_allowed)]
        await asyncio.gather(*(_checked(session) for session in sessions))
        self._interrupt_ended()
        await asyncio.gather(*(_check_access(watched, is_allowed) for watched, is_allowed in limited))


async def _checked(session: Session) -> None:
    try:
        await session.check()
    except DatabaseUnavailable:
        pass  # nothing can be revoked meanwhile either
    except Exception:
        _log.exception("A session cannot be checked")


async def _check_access(watched: _Watched, is_allowed: Allowed) -> None:
    try:
        if not await is_allowed():
            watched.interrupt(SessionEnded(End.ACCESS_REVOKED))
    except (DatabaseUnavailable, SessionEnded):
        pass  # nobody can tell, or the session itself has ended and the stream was told so
    except Exception:
        _log.exception("The access of a stream cannot be checked")
