"""Metrics of several workers: the files through which the processes of one server share them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.multiprocess import mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder."""

MEMORY = Path("/dev/shm")  # noqa: S108 - a private subfolder with a random name is created in it
"""A folder in memory, if the system has one."""


@contextmanager
def shared() -> Iterator[None]:
    """Let the processes that are started within the block share their metrics."""
    # In memory, not on a disk: Prometheus maps sparse files, and on a full disk the write would kill the process.
    memory = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    with TemporaryDirectory(prefix="marginalia-metrics-", dir=memory) as folder:
        os.environ[FOLDER] = folder
        yield


def forget_the_dead(folder: str) -> None:
    """Remove the gauges of dead processes. Their counters stay."""
    for file in Path(folder).glob("gauge_live*_*.db"):
        process_id = int(file.stem.rpartition("_")[2])
        if not _lives(process_id):
            with suppress(FileNotFoundError):  # another process may remove it too
                mark_process_dead(process_id, folder)  # type: ignore[no-untyped-call]


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, PermissionError):  # it is gone, or the id now belongs to another user
        return False
    return True
