"""Commands of ours in processes that are forked from one that has imported our code: that alone takes a second."""

import atexit
import gc
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import connection, reduction
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__ + "_preload"])

_LOCK = threading.Lock()
"""Held while a process is started or asked whether it has ended: multiprocessing is not made for several threads."""


class Forked:
    """A process as of `subprocess.Popen`, as far as tests use one."""

    def __init__(self, args: Sequence[str], env: Mapping[str, str], cwd: Path, streams: tuple[int, int, int]) -> None:
        self.args = list(args)
        descriptors = [_Descriptor(each) for each in streams]
        self._process = _CONTEXT.Process(target=_become, args=(self.args, dict(env), cwd, descriptors))
        with _LOCK:
            self._process.start()
        self.pid: int = self._process.pid or 0

    def poll(self) -> int | None:
        """Return the exit code; None: it has not ended."""
        with _LOCK:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when it has ended. Raises `subprocess.TimeoutExpired`."""
        if not connection.wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Tell it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class _Descriptor:
    """An open file that a process is given."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _received, (reduction.DupFd(self._number),)


def _received(descriptor: Any) -> int:
    number: int = descriptor.detach()
    return number


def _become(args: list[str], env: dict[str, str], cwd: Path, streams: list[int]) -> None:
    """Be `python -m marginalia` with these arguments."""
    for number, each in enumerate(streams):
        os.dup2(each, number)
    for each in set(streams) - {0, 1, 2}:
        os.close(each)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = ["marginalia", *args]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the rest of the process, as the next two
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    gc.freeze()
    try:
        runpy.run_module("marginalia", run_name="__main__", alter_sys=True)
    except Exception:
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()
