"""What went wrong in a database: worth another try, out of reach for now, or a fault."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from asyncpg import PostgresError
from asyncpg.exceptions import ClientConfigurationError, InternalClientError
from sqlalchemy import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from db.connection import query_stats
from db.connection.retry import RETRY_AFTER_MS

# PostgreSQL: the transaction lost against another one; run again as a whole, it can win.
_CONFLICTS = {"40001", "40P01"}
# PostgreSQL: no such database, or one that takes no connections; no such user, another password, not the right.
_REFUSED = {"3D000", "55000", "28000", "28P01", "42501"}
# PostgreSQL: a lock could not be had in time.
_LOCK_TIMEOUT = "55P03"
# PostgreSQL: another row has the key.
_TAKEN = "23505"
# PostgreSQL: no lock or no answer in time; starting, stopping, a standby.
_READ_ONLY = "25006"
_OUT_OF_REACH = {_LOCK_TIMEOUT, "57014", "57P01", "57P02", "57P03", "25P03", _READ_ONLY, *_REFUSED}
_OUT_OF_REACH_CLASSES = {"08", "53"}  # connections; resources
# PostgreSQL: a feature that is not there; a table, a column or a function that is not, or may not be used.
_IMPOSSIBLE_CLASSES = {"0A", "42"}
_PRIMARY = 0xFF
"""The low byte of an SQLite error code; the others say more about the same thing."""
_SQLITE_REFUSED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOTADB}
_SQLITE_OUT_OF_REACH = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,  # too many at once began to read
    *_SQLITE_REFUSED,
}


class DatabaseUnavailable(Exception):
    """The database could not decide in time; the same call may succeed later. The text says why, for the log."""

    retry_after_ms = RETRY_AFTER_MS


class DatabaseDamaged(Exception):
    """The engine cannot do what it always can: something that it needs is broken, gone or not ours; the text says what.

    It is for those who look at databases that others have damaged. To anybody else it is a fault.
    """


class ConnectionRejected(DatabaseUnavailable):
    """The database is not there, or does not let us in: at the start that is a mistake, later it may pass."""


class UnusableFile(OSError):
    """An SQLite file must not be opened as it is, or cannot be; the text says what to do."""


def is_conflict(error: BaseException) -> bool:
    """Tell whether the transaction lost against another one and deserves to run again as a whole."""
    return _sqlstate(error) in _CONFLICTS


def is_lock_denied(error: BaseException | None) -> bool:
    """Tell whether PostgreSQL gave up the wait for a lock: it took too long, or would never have ended."""
    return error is not None and (_sqlstate(error) == _LOCK_TIMEOUT or is_conflict(error))


def is_unique_violation(error: BaseException) -> bool:
    """Tell whether somebody else has put in a row with the same key, which only PostgreSQL lets happen meanwhile."""
    return _sqlstate(error) == _TAKEN


def is_locked(error: DBAPIError | sqlite3.Error) -> bool:
    """Tell whether another connection to the SQLite file holds the lock that was asked for."""
    return getattr(getattr(error, "orig", error), "sqlite_errorcode", 0) & _PRIMARY == sqlite3.SQLITE_BUSY


def is_read_only(error: BaseException) -> bool:
    """Tell whether a connection to PostgreSQL was told when it was made that it is only for reading."""
    return _sqlstate(error) == _READ_ONLY


def is_out_of_reach(error: BaseException) -> bool:
    """Tell whether the database could not be asked, or could not answer in time."""
    if isinstance(error, PoolTimeout | OSError):
        return True  # the errors of a socket come through as they are
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & _PRIMARY in _SQLITE_OUT_OF_REACH
    if isinstance(error, DBAPIError) and (
        error.connection_invalidated
        # It was ended while SQLAlchemy was still making its acquaintance.
        or (error.orig is not None and isinstance(error.orig.__cause__, InternalClientError))
    ):
        return True
    if _is_refused(error):
        return True
    state = _sqlstate(error)
    return state in _OUT_OF_REACH or state[:2] in _OUT_OF_REACH_CLASSES


def is_of_all(error: BaseException) -> bool:
    """Tell whether a read fails whatever its keys: out of reach, or a statement that cannot be run at all."""
    if isinstance(error, DatabaseUnavailable) or is_conflict(error) or is_out_of_reach(error):
        return True
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return _sqlstate(error)[:2] in _IMPOSSIBLE_CLASSES


@contextmanager
def translate_errors(is_counted: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Raise `DatabaseUnavailable` in place of the many errors that mean it; let faults through.

    `is_counted` tells, when that happens, whether it is told to whoever counts what was unavailable.
    """
    try:
        yield
    except Exception as error:
        if is_conflict(error) or is_out_of_reach(error):
            if (tally := query_stats.current()) and is_counted():
                tally.unavailable += 1
            kind = ConnectionRejected if _is_refused(error) else DatabaseUnavailable
            raise kind(str(getattr(error, "orig", error)) or type(error).__name__) from error
        raise


@contextmanager
def translate_damage() -> Iterator[None]:
    """Raise `DatabaseDamaged` for what is wrong with the database, and would be again; let everything else through."""
    try:
        yield
    except DBAPIError as error:
        # A statement that is refused will be again; a connection need not.
        is_final = _is_refused(error) and error.statement is not None
        if is_conflict(error) or (is_out_of_reach(error) and not is_final):
            raise
        raise DatabaseDamaged(str(getattr(error.orig, "__cause__", None) or error.orig)) from error


def redact_parameters(context: ExceptionContext) -> None:
    """Take out of an error of asyncpg what it quotes of the values that were sent: errors are logged, texts are not."""
    cause = context.original_exception.__cause__
    if isinstance(cause, PostgresError):
        cause.detail = None  # "Failing row contains (...)"
    unfit = isinstance(cause, ValueError) or _sqlstate(context.original_exception).startswith("22")
    if unfit and context.statement is not None:
        for error in (cause, context.original_exception, context.sqlalchemy_exception):
            if error is not None:
                # The whole message: "invalid input for query argument $1: '...".
                error.args = ("A value does not fit its type", *error.args[1:])


def _is_refused(error: BaseException) -> bool:
    if isinstance(error, UnusableFile):
        return True
    orig = getattr(error, "orig", None)
    if isinstance(orig, sqlite3.Error):
        return getattr(orig, "sqlite_errorcode", 0) & _PRIMARY in _SQLITE_REFUSED
    if orig is not None and isinstance(orig.__cause__, ClientConfigurationError):
        return True  # as where the certificate to check it by is not there
    return _sqlstate(error) in _REFUSED


def _sqlstate(error: BaseException) -> str:
    # An error in a statement is wrapped; one in making the connection is asyncpg's own.
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""
