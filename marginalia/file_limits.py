"""File limits: how many files, sockets among them, the process may have open."""

import resource

import structlog

RESERVED_FILES = 100
"""The files beside connections and the database: logs, event loops, libraries, and connections about to be refused."""

FILES_OF_A_DATABASE_CONNECTION = 3
"""SQLite opens the file, its `-wal` and its `-shm`."""

_log = structlog.stdlib.get_logger("marginalia.serving")


def raise_to_hard_limit() -> None:
    """Raise the soft limit of open files to the hard one; the worker processes inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:  # macOS allows less than its hard limit says
        _log.warning("file limit not raised", soft=soft, hard=hard, reason=str(error))


def room_for_connections(most: int, pool_size: int) -> int:
    """Return how many connections there may be: `most`, or what the limit of open files has room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    reserved = RESERVED_FILES + 2 * pool_size * FILES_OF_A_DATABASE_CONNECTION
    return min(most, max(soft - reserved, soft // 4))
