"""The server: its listening socket and its worker processes."""

import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, Multiprocess

from marginalia import file_limits
from marginalia.transports.hosts import LOOPBACK
from marginalia.transports.http_connection import KEEP_ALIVE_S, HttpConnection
from marginalia.transports.socket_connection import SocketConnection
from marginalia.transports.websocket import SocketLimits

BACKLOG = 2048
"""How many connections wait to be accepted."""

SHUTDOWN_GRACE_S = 10
"""The graceful shutdown timeout: how long running requests may take after a stop signal."""

_log = structlog.stdlib.get_logger("marginalia.serving")


class CannotListen(Exception):
    """The server cannot listen on the address. The text is one line for the operator."""


def check_host(host: str, auth: str) -> None:
    """Reject addresses that other machines can reach, unless callers need a token. Raises `CannotListen`."""
    if auth == "local" and host not in LOOPBACK:
        raise CannotListen(
            f"Without tokens every caller is the owner, so --host is one of {', '.join(LOOPBACK)}, not {host}; "
            "to serve other machines, set MARGINALIA_AUTH=tokens (see docs/deploying.md)."
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. It queues connections from now on, so a printed address already answers.

    Raises `CannotListen`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(f"Cannot listen on port {port} of {host}: {error}") from error
    listening.set_inheritable(True)
    # asyncio does this only for sockets that it creates. A response is sent in two pieces. Without TCP_NODELAY the
    # second one waits until the client acknowledges the first, which clients delay by 40 ms.
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
    """Serve on a listening socket until a stop signal, which is not a failure: the exit code is 0.

    The exit code is 3 if a worker cannot start, also a replacement of an earlier one. `announce` is called as soon as
    connections are queued, before the first request can be answered. `application` names the application factory for
    this process and the workers.
    """
    file_limits.raise_to_hard_limit()
    config = uvicorn.Config(
        application,
        factory=True,
        workers=workers,
        reload=reload,
        log_config=None,
        access_log=False,  # the URL of a GET holds the query, and with it users' texts
        loop="auto",  # uvloop, where the platform has it
        proxy_headers=False,
        server_header=False,
        http=HttpConnection,
        ws=SocketConnection,
        ws_max_size=max_message_bytes,
        ws_per_message_deflate=False,  # it takes some hundred kilobytes per socket, also of idle ones
        lifespan="on",
        timeout_keep_alive=keep_alive_seconds,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )
    server = uvicorn.Server(config)

    def end(_signal: int, _frame: FrameType | None) -> None:
        if not server.should_exit:
            # Python drops the exception if the signal arrives in a finalizer. Then the server ends once it has started.
            server.should_exit = True
            sys.exit(0)
        # Otherwise the server has ended already: uvicorn re-raises the caught signal, which would count as a crash.

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    announce()
    if config.should_reload:
        ChangeReload(config, target=server.run, sockets=[listening]).run()
    elif workers > 1:
        supervisor = _Workers(config, sockets=[listening])
        supervisor.run()
        # The supervisor ends if a worker cannot start, but its exit code would not show it.
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            sys.exit(STARTUP_FAILURE)
    else:
        server.run(sockets=[listening])
        if not server.started:
            sys.exit(STARTUP_FAILURE)


class _Workers(Multiprocess):
    """The worker processes of one socket."""

    def terminate_all(self) -> None:
        """Stop all workers. New connections are refused, instead of waiting in a queue that no process accepts from."""
        for listening in self.sockets:
            listening.close()
        super().terminate_all()

    def keep_subprocess_alive(self) -> None:
        """Replace a worker that died, and log it."""
        before = list(self.processes)
        super().keep_subprocess_alive()
        for process, now in zip(before, self.processes, strict=True):
            if process is not now:
                _log.warning("process died", process_id=process.pid, exit_code=process.exitcode)


def address(listening: socket.socket) -> str:
    """Return the URL of a listening socket; for a Unix socket, one with any host that is allowed."""
    if listening.family == socket.AF_UNIX:
        return "http://localhost"
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - any address: this one is allowed
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
