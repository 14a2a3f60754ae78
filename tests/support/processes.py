"""Processes: the command line as it is run by people, and a server of its own for a test.

Commands in our own folder are forked from a process that has imported our code. `fresh` starts one as a shell does.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.forking import Forked

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "marginalia")

Process = subprocess.Popen[bytes] | Forked

_ADDRESS = re.compile(r"^GraphQL +(\S+)/graphql$", re.MULTILINE)
_TRACEBACK = ("Traceback (most recent call last)", '"exception":')
"""How a traceback begins on a terminal, and in a log of JSON lines."""


def environment(**settings: object) -> dict[str, str]:
    """Return the environment of a process: ours without our settings, and with these, as `lock_timeout=1`.

    A process may keep what it compiles, whatever ours may: to compile our modules takes longer than to import them.
    """
    left_out = "PYTHONDONTWRITEBYTECODE"
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("MARGINALIA_", left_out))}
    return ours | {f"MARGINALIA_{name.upper()}": str(value) for name, value in settings.items()}


def run(
    *args: str,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    output: int | None = None,
    errors: int | None = None,
    fresh: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command of ours to its end, which a minute must be enough for.

    `output` and `errors` are open files for it to write to. What it writes elsewhere is returned.
    """
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as complained:
        outputs = told.fileno() if output is None else output, complained.fileno() if errors is None else errors
        process = begin(outputs, *args, env=env, cwd=cwd, fresh=fresh)
        try:
            code = process.wait(60)
        finally:
            process.kill()
        told.seek(0)
        complained.seek(0)
        return subprocess.CompletedProcess([*COMMAND, *args], code, told.read(), complained.read())


def begin(
    outputs: tuple[int, int], *args: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT, fresh: bool = False
) -> Process:
    """Start a command of ours that writes to open files."""
    return _start([*COMMAND, *args], env or environment(), cwd, outputs, fresh=fresh)


@dataclass(frozen=True)
class Server:
    """A server in a process of its own: where it answers, and what it has written so far."""

    address: str
    process: Process
    folder: Path

    @property
    def output(self) -> str:
        """What it has printed."""
        return (self.folder / "output").read_text()

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text()

    @property
    def complained(self) -> bool:
        """Whether there is a traceback in its log."""
        return any(mark in self.log for mark in _TRACEBACK)


@contextmanager
def running_server(database_url: str, *args: str, **settings: object) -> Iterator[str]:
    """Serve a database in a process of its own and yield the address, as `http://127.0.0.1:40123`.

    `args` go to `serve`, `settings` into its environment. A traceback in its log fails the test.
    """
    with running_process(database_url, *args, **settings) as server:
        yield server.address


@contextmanager
def running_process(database_url: str, *args: str, **settings: object) -> Iterator[Server]:
    """Do as `running_server` does, and yield the process with its output."""
    command = [*COMMAND, "serve", "--port", "0", "--database", database_url, *args]
    with running(command, environment(**settings)) as server:
        yield server


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str], cwd: Path = ROOT, *, fresh: bool = False
) -> Iterator[Server]:
    """Run a command that prints where it serves as `serve` does, and end it. A traceback in its log fails the test."""
    with tempfile.TemporaryDirectory(prefix="marginalia-server-") as name:
        process = launch(command, env, Path(name), cwd, fresh=fresh)
        try:
            server = Server(_address(process, Path(name)), process, Path(name))
            yield server
        finally:
            code = _stop(process)
        assert not server.complained, server.log
        assert code == 0, f"ended with {code}\n{server.log}"


def start(database_url: str, folder: Path, **settings: object) -> Server:
    """Serve a database in a process that its caller will end, one way or the other; it writes into a folder."""
    command = [*COMMAND, "serve", "--port", "0", "--database", database_url]
    process = launch(command, environment(**settings), folder)
    return Server(_address(process, folder), process, folder)


def launch(
    command: Sequence[str], env: Mapping[str, str], folder: Path, cwd: Path = ROOT, *, fresh: bool = False
) -> Process:
    """Start a command that writes into a folder, and wait for nothing."""
    # Files, not pipes: nobody has to read them for the server to go on.
    with (folder / "output").open("wb") as output, (folder / "log").open("wb") as log:
        return _start(command, env, cwd, (output.fileno(), log.fileno()), fresh=fresh)


def _start(
    command: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    outputs: tuple[int, int],
    *,
    fresh: bool,
) -> Process:
    args = command[len(COMMAND) :]
    if not fresh and tuple(command[: len(COMMAND)]) == COMMAND and _can_be_forked(args, env, cwd):
        with open(os.devnull) as nothing:
            return Forked(args, env, cwd, (nothing.fileno(), *outputs))
    stdout, stderr = outputs
    return subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)


def _can_be_forked(args: Sequence[str], env: Mapping[str, str], cwd: Path) -> bool:
    """Tell whether a command runs our code, in an interpreter that is as ours, and starts no interpreters itself."""
    is_ours = cwd == ROOT or env.get("PYTHONPATH") == str(ROOT)
    is_alike = _of_interpreter(env) == _of_interpreter(os.environ)
    return is_ours and is_alike and not {"--workers", "--reload"} & set(args)


def _of_interpreter(env: Mapping[str, str]) -> dict[str, str]:
    ignored = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    return {
        name: value
        for name, value in env.items()
        if name.startswith(("PYTHON", "LC_", "LANG", "PROMETHEUS_")) and name not in ignored
    }


def _address(process: Process, folder: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        if found := _ADDRESS.search((folder / "output").read_text()):
            return found[1]
        if ended:
            break
        time.sleep(0.02)
    raise AssertionError(f"no address was printed (exit code {process.poll()})\n{(folder / 'log').read_text()}")


def _stop(process: Process) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError("did not end within 20 seconds of SIGTERM") from None
