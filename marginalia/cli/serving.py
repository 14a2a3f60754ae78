"""The command line of the server: checks what it is given, prepares the database, and prints the addresses."""

import socket
import sys
from contextlib import nullcontext
from pathlib import Path

from db.connection.database import Database, without_password
from db.connection.errors import ConnectionRejected, DatabaseUnavailable
from engine.persisted_operations import BadManifest
from marginalia import server, unix_socket
from marginalia.authentication import configured
from marginalia.authentication.settings import BadKey
from marginalia.cli import demo, output
from marginalia.cli.database import with_database
from marginalia.cli.failure import MISCONFIGURED, fail
from marginalia.manifest import read_manifest
from marginalia.observability import metrics_workers
from marginalia.settings import Settings
from marginalia.startup import prepare, warn_of_many_writers
from marginalia.terminal import write_line


def serve(settings: Settings, target: tuple[str, int] | Path, *, workers: int, load_demo: bool, reload: bool) -> None:
    """Serve on a host and port, or on a Unix socket, until a stop signal.

    A database that is unavailable is retried; any other obstacle ends the process.
    """
    try:
        if settings.trusted_documents:
            read_manifest(settings.trusted_documents)
        configured.check(settings)
        listening = _listen(target, settings.auth)
    except (BadKey, BadManifest) as error:
        fail(str(error), MISCONFIGURED)
    except server.CannotListen as error:
        fail(str(error))

    async def load(opened: Database) -> demo.Demo | None:
        try:
            await prepare(opened)
            await warn_of_many_writers(opened, workers)
            return await demo.load(opened) if load_demo else None
        except ConnectionRejected:
            raise
        except DatabaseUnavailable as error:
            # Serve anyway: the server process retries until the database is available.
            if load_demo:
                write_line(f"marginalia: The demo is not imported: the database cannot be reached: {error}", error=True)
            return None

    loaded = with_database(settings, load, prepared=False)
    address = server.address(listening) + (settings.root_path or "")

    def announce() -> None:
        write_line(f"Data: {without_password(settings.database_url)}")
        if isinstance(target, Path):
            write_line(f"Socket    {target}")
        print(f"GraphQL   {address}/graphql")
        if settings.explorer:
            print(f"Explorer  {address}/graphiql")
            if _makes_tokens(settings):
                print(f"Sign in   python -m marginalia token --user ID --role EDITOR --link --server {address}")
        print(f"Health    {address}/readyz")
        if loaded is not None:
            print(f"\nTry it:\n{loaded.curl(address, target if isinstance(target, Path) else None)}\n")
        sys.stdout.flush()
        output.forgive()

    with (
        metrics_workers.shared() if workers > 1 else nullcontext(),
        unix_socket.removed_at_the_end(target) if isinstance(target, Path) else nullcontext(),
    ):
        server.run(
            listening,
            announce,
            workers=workers,
            reload=reload,
            max_message_bytes=settings.max_socket_message_bytes,
            keep_alive_seconds=settings.keep_alive_seconds,
        )


def _listen(target: tuple[str, int] | Path, auth: str) -> socket.socket:
    if isinstance(target, Path):
        return unix_socket.listen(target)
    server.check_host(target[0], auth)
    return server.listen(*target)


def _makes_tokens(settings: Settings) -> bool:
    """Whether tokens are wanted, and `python -m marginalia token` can sign them."""
    return settings.auth == "tokens" and bool(settings.token_secret or settings.token_secret_file)
