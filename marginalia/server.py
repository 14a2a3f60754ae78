"""Serving: the socket, the processes behind it, and what is printed once they listen."""

import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, Multiprocess

from marginalia.hosts import LOOPBACK
from marginalia.transports.uvicorn_protocols import KEEP_ALIVE_S, HttpConnection, SocketConnection
from marginalia.transports.websocket import SocketLimits

GRACE = 10
"""How many seconds a request that is being answered may take once the server was told to stop."""

_log = structlog.stdlib.get_logger("marginalia.serving")


class CannotListen(Exception):
    """The address is not one that can be served; the text is one line for the person who starts the server."""


def check_host(host: str) -> None:
    """Refuse to be reached from other machines. Raises `CannotListen`."""
    if host not in LOOPBACK:
        raise CannotListen(
            f"Marginalia does not know who is asking yet, so it serves this machine only: "
            f"--host is one of {', '.join(LOOPBACK)}, not {host}."
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that queues callers from now on, so that an address that was printed is one that answers.

    Raises `CannotListen`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(f"Cannot listen on port {port} of {host}: {error}") from error
    listening.set_inheritable(True)
    # asyncio does this for the sockets that it makes itself. An answer is sent in two pieces, and without it the second
    # one waits until the client has acknowledged the first, which clients put off for 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def run(
    listening: socket.socket,
    announce: Callable[[], None],
    *,
    workers: int,
    reload: bool,
    max_message_bytes: int = SocketLimits.message_bytes,
    keep_alive_seconds: int = KEEP_ALIVE_S,
    application: str = "marginalia.app:from_environment",
) -> None:
    """Serve on a listening socket until told to stop, which is not a failure: the process ends with code 0.

    It ends with code 3 where a process that is to serve cannot start, be it later and in place of another one.
    `announce` is called once that is so, even before the first request can be answered. `application` names what makes
    the application, in this process and in those of the workers.
    """
    config = uvicorn.Config(
        application,
        factory=True,
        workers=workers,
        reload=reload,
        log_config=None,
        access_log=False,  # a GET carries its query, and with it what was written
        proxy_headers=False,
        server_header=False,
        http=HttpConnection,
        ws=SocketConnection,
        ws_max_size=max_message_bytes,
        ws_per_message_deflate=False,  # it holds some hundred kilobytes for each socket, idle ones too
        lifespan="on",
        timeout_keep_alive=keep_alive_seconds,
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)

    def end(_signal: int, _frame: FrameType | None) -> None:
        if not server.should_exit:
            sys.exit(0)
        # Otherwise it has ended already: uvicorn raises what it caught once more, and that would count as a crash.

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    announce()
    if config.should_reload:
        ChangeReload(config, target=server.run, sockets=[listening]).run()
    elif workers > 1:
        supervisor = _Workers(config, sockets=[listening])
        supervisor.run()
        # It ends when one cannot start, and would tell nobody.
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            sys.exit(STARTUP_FAILURE)
    else:
        server.run(sockets=[listening])
        if not server.started:
            sys.exit(STARTUP_FAILURE)


class _Workers(Multiprocess):
    """The processes behind one socket."""

    def terminate_all(self) -> None:
        """Tell all to stop; who calls from now on is refused, and does not wait in a queue that nobody looks at."""
        for listening in self.sockets:
            listening.close()
        super().terminate_all()

    def keep_subprocess_alive(self) -> None:
        """Put a process in the place of one that died, and say so."""
        before = list(self.processes)
        super().keep_subprocess_alive()
        for process, now in zip(before, self.processes, strict=True):
            if process is not now:
                _log.warning("process died", process_id=process.pid, exit_code=process.exitcode)


def address(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
