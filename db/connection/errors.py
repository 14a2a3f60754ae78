"""Database errors, classified: a conflict to retry, temporarily unavailable, or a fault."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from asyncpg import PostgresError
from asyncpg.exceptions import ClientConfigurationError, InterfaceError, InternalClientError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from db.connection import query_stats
from db.connection.retry import RETRY_AFTER_MS

# PostgreSQL: the transaction lost a conflict with another one. A retry of the whole transaction can succeed.
_CONFLICTS = {"40001", "40P01"}
# PostgreSQL: no such database, or it accepts no connections; no such user, wrong password, missing privilege.
_REFUSED = {"3D000", "55000", "28000", "28P01", "42501"}
# PostgreSQL: lock timeout.
_LOCK_TIMEOUT = "55P03"
# PostgreSQL: unique violation.
_TAKEN = "23505"
# PostgreSQL: lock or statement timeout; server starting, stopping, or a standby.
_READ_ONLY = "25006"
_OUT_OF_REACH = {_LOCK_TIMEOUT, "57014", "57P01", "57P02", "57P03", "25P03", _READ_ONLY, *_REFUSED}
_OUT_OF_REACH_CLASSES = {"08", "53"}  # connections; resources
# PostgreSQL: unsupported feature; a table, column or function that is missing or not permitted.
_IMPOSSIBLE_CLASSES = {"0A", "42"}
_PRIMARY = 0xFF
"""Masks the primary code, the low byte of an SQLite error code. The other bytes refine it."""
_SQLITE_REFUSED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOTADB}
_SQLITE_OUT_OF_REACH = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,  # too many connections began to read at once
    *_SQLITE_REFUSED,
}


class DatabaseUnavailable(Exception):
    """The database is temporarily unavailable. The same call may succeed later. The text is the reason, for the log."""

    retry_after_ms = RETRY_AFTER_MS


class DatabaseDamaged(Exception):
    """The database is damaged: an object it needs is broken, missing or not ours. The text says which.

    The doctor and the startup checks handle this error. Everywhere else it is a fault.
    """


class ConnectionRejected(DatabaseUnavailable):
    """The database does not exist or rejects the connection. At startup this is a mistake; later it may pass."""


class UnusableFile(OSError):
    """An SQLite file cannot or must not be opened in its present state. The text says what to do."""


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction lost a conflict with another one, so that it should be retried as a whole."""
    return _sqlstate(error) in _CONFLICTS


def is_lock_denied(error: BaseException | None) -> bool:
    """Whether PostgreSQL gave up waiting for a lock, because of a timeout or a conflict such as a deadlock."""
    return error is not None and (_sqlstate(error) == _LOCK_TIMEOUT or is_conflict(error))


def is_unique_violation(error: BaseException) -> bool:
    """Whether a concurrent transaction inserted a row with the same key. Only PostgreSQL lets this happen."""
    return _sqlstate(error) == _TAKEN


def is_locked(error: DBAPIError | sqlite3.Error) -> bool:
    """Whether another connection to the SQLite file holds the requested lock."""
    return getattr(_of_driver(error), "sqlite_errorcode", 0) & _PRIMARY == sqlite3.SQLITE_BUSY


def is_read_only(error: BaseException) -> bool:
    """Whether a PostgreSQL session is read-only, as on a standby."""
    return _sqlstate(error) == _READ_ONLY


def is_out_of_reach(error: BaseException) -> bool:
    """Whether the database could not be reached, or did not answer in time."""
    if isinstance(error, PoolTimeout | OSError):
        return True  # socket errors are not wrapped
    cause = _of_driver(error)
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & _PRIMARY in _SQLITE_OUT_OF_REACH
    if isinstance(cause, InternalClientError):
        return True  # the connection ended while SQLAlchemy was still initializing it
    if isinstance(cause, InterfaceError) and "closed" in str(cause):
        return True  # asyncpg has no class of its own for a connection that ended before the statement
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if _is_refused(error):
        return True
    state = _sqlstate(error)
    return state in _OUT_OF_REACH or state[:2] in _OUT_OF_REACH_CLASSES


def is_of_all(error: BaseException) -> bool:
    """Whether a read fails for every key: the database is unavailable, or the statement itself cannot run."""
    if isinstance(error, DatabaseUnavailable) or is_conflict(error) or is_out_of_reach(error):
        return True
    if isinstance(cause := _of_driver(error), sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return _sqlstate(error)[:2] in _IMPOSSIBLE_CLASSES


@contextmanager
def translate_errors(is_counted: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Raise `DatabaseUnavailable` in place of the many errors that mean it. Faults pass through.

    `is_counted` decides, when that happens, whether the query statistics count it as unavailable.
    """
    try:
        yield
    except Exception as error:
        raise_unavailable(error, is_counted)
        raise


def raise_unavailable(error: Exception, is_counted: Callable[[], bool] = lambda: True) -> None:
    """Raise `DatabaseUnavailable` from an error that means it; return for a fault. As `translate_errors` does."""
    if is_conflict(error) or is_out_of_reach(error):
        if (stats := query_stats.current()) and is_counted():
            stats.unavailable += 1
        kind = ConnectionRejected if _is_refused(error) else DatabaseUnavailable
        raise kind(str(getattr(error, "orig", error)) or type(error).__name__) from error


@contextmanager
def translate_damage() -> Iterator[None]:
    """Raise `DatabaseDamaged` for errors that a retry would meet again. Everything else passes through."""
    try:
        yield
    except DBAPIError as error:
        # A rejected statement would be rejected again. A rejected connection need not be.
        is_final = _is_refused(error) and error.statement is not None
        if is_conflict(error) or (is_out_of_reach(error) and not is_final):
            raise
        raise DatabaseDamaged(str(getattr(error.orig, "__cause__", None) or error.orig)) from error


def redact_detail(error: BaseException | None) -> None:
    """Remove the row that an error of PostgreSQL quotes."""
    if isinstance(error, PostgresError):
        error.detail = None  # "Failing row contains (...)"


def redact_parameters(error: BaseException, *wrappers: BaseException | None) -> None:
    """Remove the parameter values that asyncpg's error of a statement quotes, also from the errors that wrap it.

    Errors are logged, user texts are not.
    """
    redact_detail(error)
    if isinstance(error, ValueError) or _sqlstate(error).startswith("22"):
        for each in (error, *wrappers):
            if each is not None:
                # Replaces the whole message, such as "invalid input for query argument $1: '...".
                each.args = ("A value does not fit its type", *each.args[1:])


def _is_refused(error: BaseException) -> bool:
    if isinstance(error, UnusableFile):
        return True
    cause = _of_driver(error)
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & _PRIMARY in _SQLITE_REFUSED
    if isinstance(cause, ClientConfigurationError):
        return True  # for example, the root certificate is missing
    return _sqlstate(error) in _REFUSED


def _sqlstate(error: BaseException) -> str:
    return getattr(_of_driver(error), "sqlstate", None) or ""


def _of_driver(error: BaseException) -> BaseException:
    """Return the driver's own error: SQLAlchemy wraps those of its statements once, and those of asyncpg twice.

    The error of a fetch is not wrapped. What the driver's error was caused by, such as a reset, is not looked at.
    """
    while isinstance(orig := getattr(error, "orig", None), BaseException):
        error = orig
    return error
