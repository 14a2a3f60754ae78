"""Actors: callers with connections of their own, held before each step that they take.

The steps are the statements that the server really sends, and its commits: what runs are the use cases of the server.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.util import await_only

from db.connection import errors
from db.connection.database import Database
from tests.checkers.histories.asking import perform
from tests.checkers.reference_model import Call, Operation
from tests.support.statements import before_statements
from tests.support.thorough import thorough

NOT_YET = float("inf")
"""When a call was made that has not taken its first step."""


class Actor:
    """Does one call after the other, and goes on from each step to the next one only when it is told to."""

    def __init__(self, database: Database, pid: int, moved: asyncio.Event) -> None:
        """Work on a database; `pid` is the server's process for its transactions; `moved` is set by all actors."""
        self.database, self.pid = database, pid
        self.conflicts = 0
        self.free = False
        self._moved = moved
        self._held: asyncio.Future[None] | None = None
        self._called = NOT_YET
        self._work: asyncio.Task[None] | None = None

    @property
    def is_held(self) -> bool:
        """Tell whether it stands before a step."""
        return self._held is not None

    @property
    def is_running(self) -> bool:
        """Tell whether it is on its way to the next step: the database works for it, or it waits for a lock."""
        return self._held is None and self._work is not None and not self._work.done()

    def begin(self, calls: Sequence[Call], history: list[Operation], clock: Callable[[], float]) -> None:
        """Begin with calls, up to the first step; write into a history what is answered."""

        async def work() -> None:
            for call in calls:
                self._called = NOT_YET
                answer = await perform(self.database, call)
                history.append(Operation(call, answer, self._called, clock()))

        self._clock = clock
        self._work = asyncio.create_task(work())
        self._work.add_done_callback(lambda _: self._moved.set())

    def go_on(self) -> None:
        """Take the step."""
        assert self._held is not None
        # A call begins with its first step: before that, it has done nothing.
        if self._called is NOT_YET:
            self._called = self._clock()
        self._held.set_result(None)
        self._held = None

    def let_go(self) -> None:
        """Hold it no more: what is left of its steps it takes by itself."""
        self.free = True
        if self._held is not None:
            self.go_on()

    async def end(self) -> Exception | None:
        """Wait for the end of one that was let go, and return the fault if it was one."""
        assert self._work is not None
        await asyncio.wait([self._work])
        self.free = False
        fault = self._work.exception()
        assert fault is None or isinstance(fault, Exception)
        return fault

    async def _before_statement(self, _connection: Any, statement: str, _parameters: Any) -> None:
        # By then the rows are locked, and nobody else has a say in it; and each step makes for many more schedules.
        if thorough() or not statement.startswith("DELETE"):
            await self._stop()

    async def _stop(self) -> None:
        if not self.free:
            self._held = asyncio.get_running_loop().create_future()
            self._moved.set()
            await self._held

    def _note(self, context: Any) -> None:
        self.conflicts += errors.is_conflict(context.original_exception)


@asynccontextmanager
async def acting(url: str, moved: asyncio.Event) -> AsyncIterator[Actor]:
    """Give an actor on a database, with a connection for its transactions and one for its reads."""
    # Nobody is told that a lock could not be had: each waits until the one who holds it goes on.
    database = Database(url, pool_size=1, lock_timeout=60)
    try:
        async with database.begin() as session, database.read() as reading:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
            await reading.execute(text("SELECT 1"))
        assert isinstance(pid, int)
        actor = Actor(database, pid, moved)
        for engine in database.engines:
            event.listen(engine.sync_engine, "handle_error", actor._note)
        event.listen(database.engines[0].sync_engine, "commit", lambda _: await_only(actor._stop()))
        with before_statements(database, actor._before_statement):
            yield actor
    finally:
        await database.close()
