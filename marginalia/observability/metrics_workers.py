"""Figures: the files through which the processes of one server put theirs together."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.multiprocess import mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder."""

MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it has a name of its own, and only its owner may enter
"""A folder that is no disk, where there is one."""


@contextmanager
def shared() -> Iterator[None]:
    """Let the processes that are started within the block put their figures together."""
    # Not on a disk: Prometheus maps files without room of their own, and where it is full a process dies of writing.
    memory = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    with TemporaryDirectory(prefix="marginalia-metrics-", dir=memory) as folder:
        os.environ[FOLDER] = folder
        yield


def forget_the_dead(folder: str) -> None:
    """Forget what processes showed that are no more; what they have counted stays."""
    for file in Path(folder).glob("gauge_live*_*.db"):
        process_id = int(file.stem.rpartition("_")[2])
        if not _lives(process_id):
            with suppress(FileNotFoundError):  # another process is about it as well
                mark_process_dead(process_id, folder)  # type: ignore[no-untyped-call]


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, PermissionError):  # there is none, or it is somebody else's by now
        return False
    return True
