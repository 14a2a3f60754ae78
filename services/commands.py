"""Commands: decorators for the use cases that write."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from db.connection import deadlines
from db.connection.errors import DatabaseUnavailable
from db.store import Store
from services.outcomes import TemporarilyUnavailable

_log = structlog.stdlib.get_logger("marginalia.commands")

P = ParamSpec("P")
T = TypeVar("T")


def command(
    use_case: Callable[Concatenate[Store, P], Awaitable[T]],
) -> Callable[Concatenate[Store, P], Awaitable[T | TemporarilyUnavailable]]:
    """Make a use case a command.

    A command clears the loaders first, so that it does not decide on rows that an earlier command of the operation has
    read. It returns `TemporarilyUnavailable` if the database is unavailable. From its start, all its waits for
    connections and locks together end within the lock timeout.
    """
    return _command(use_case, has_deadline=True)


def long_command(
    use_case: Callable[Concatenate[Store, P], Awaitable[T]],
) -> Callable[Concatenate[Store, P], Awaitable[T | TemporarilyUnavailable]]:
    """Make a use case a command without a deadline, because its work may take longer than the lock timeout."""
    return _command(use_case, has_deadline=False)


def _command(
    use_case: Callable[Concatenate[Store, P], Awaitable[T]], *, has_deadline: bool
) -> Callable[Concatenate[Store, P], Awaitable[T | TemporarilyUnavailable]]:
    @wraps(use_case)
    async def run(store: Store, /, *args: P.args, **kwargs: P.kwargs) -> T | TemporarilyUnavailable:
        store.load.clear()
        token = deadlines.begin(store.lock_timeout) if has_deadline else None
        try:
            return await use_case(store, *args, **kwargs)
        except DatabaseUnavailable as error:
            _log.warning("unavailable", reason=str(error))
            return TemporarilyUnavailable(error.retry_after_ms)
        finally:
            if token is not None:
                deadlines.end(token)

    return run
