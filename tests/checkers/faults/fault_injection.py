"""Strikes: faults of a database at a chosen step of what is sent to it, its own ones where it can be made to."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event
from sqlalchemy.util import await_only, greenlet_spawn

from db.connection.database import Database

Strike = Callable[[Any], None]
"""Does to a cursor what makes it fail."""

COMMIT = "COMMIT"


def raised(state: str) -> Strike:
    """Let PostgreSQL raise an error with an SQLSTATE."""
    return sent(f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{state}'; END $$")


def sent(statement: str) -> Strike:
    """Send another statement, which fails."""
    return lambda cursor: cursor.execute(statement, ())


def failed(code: int) -> Strike:
    """Fail as SQLite does, which cannot be asked to."""

    def fail(_cursor: Any) -> None:
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode = code
        raise error

    return fail


@dataclass
class Steps:
    """What is sent to a database: the statements, and the ends of the transactions that are committed.

    The step number `at` is struck, and each later one that says the same, `times` times in all.
    """

    strike: Strike | None = None
    at: int = -1
    times: int = 1
    sent: list[str] = field(default_factory=list)
    writing: list[bool] = field(default_factory=list)
    struck: int = 0
    _target: str | None = None

    def take(self, text: str, writing: bool, cursor: Any) -> None:
        """Note a step, or strike it."""
        number = len(self.sent)
        self.sent.append(text)
        self.writing.append(writing)
        if number == self.at:
            self._target = text
        if self.strike is not None and text == self._target and self.struck < self.times:
            self.struck += 1
            self.strike(cursor)


@contextmanager
def watched(database: Database, steps: Steps) -> Iterator[Steps]:
    """Let every step of a database be taken by `steps` within the block."""
    with ExitStack() as stack:
        for engine, writing in zip(database.engines, (True, False), strict=True):
            _listen(stack, engine.sync_engine, writing, steps)

        async def fetch(connection: Any, text: str, _arguments: Any) -> str:
            await greenlet_spawn(steps.take, text, False, _DriverCursor(connection))
            return text

        database.before_fetch.append(fetch)
        stack.callback(database.before_fetch.remove, fetch)
        dialect = database.engines[0].sync_engine.dialect
        commit = dialect.do_commit

        def do_commit(connection: Any) -> None:
            # No event of SQLAlchemy comes where an error would be taken for one of the database.
            steps.take(COMMIT, True, connection.cursor())
            commit(connection)

        vars(dialect)["do_commit"] = do_commit
        stack.callback(vars(dialect).pop, "do_commit")
        yield steps


@dataclass(frozen=True)
class _DriverCursor:
    """Executes on the driver's connection, as a cursor of SQLAlchemy does on its own."""

    connection: Any

    def execute(self, statement: str, _parameters: Any) -> None:
        await_only(self.connection.execute(statement))


def _listen(stack: ExitStack, engine: Any, writing: bool, steps: Steps) -> None:
    def execute(cursor: Any, statement: str, _parameters: Any, _context: Any) -> None:
        steps.take(statement, writing, cursor)

    def execute_without(cursor: Any, statement: str, _context: Any) -> None:
        steps.take(statement, writing, cursor)

    for name, listener in (
        ("do_execute", execute),
        ("do_executemany", execute),
        ("do_execute_no_params", execute_without),
    ):
        event.listen(engine, name, listener)
        stack.callback(event.remove, engine, name, listener)
