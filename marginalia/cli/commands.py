"""The command line: serve, import, migrate, schema, doctor, import-legacy."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress
from typer.exceptions import TyperException

from db.connection import errors as connection_errors
from db.connection.database import BadDatabaseUrl, Database, is_missing, without_password
from db.connection.errors import ConnectionRejected, DatabaseUnavailable
from db.migrations import upgrade as migrations_upgrade
from db.store import Store
from engine.persisted_operations import BadManifest
from marginalia import files, server, terminal
from marginalia.authentication.local import LOCAL_OWNER
from marginalia.cli import demo, doctor, legacy, output
from marginalia.files import UnreadableFile
from marginalia.manifest import read_manifest
from marginalia.observability import log_config, metrics_workers
from marginalia.settings import BadSettings, Settings, read_settings
from marginalia.startup import NotReady, check, prepare, warn_of_many_writers
from marginalia.terminal import write_line
from schema.build import sdl
from services import documents
from services.limits import MARKDOWN_LENGTH

T = TypeVar("T")

UNREADABLE = 2
"""The exit code of the doctor if the database cannot be read; 1 means findings."""

MISCONFIGURED = 2
"""The exit code of every command for wrong options or settings; unknown options have the same."""

LARGEST_FILE = 4 * MARKDOWN_LENGTH
"""The maximum size of a Markdown file, in bytes: that of the longest document in UTF-8."""

app = typer.Typer(
    help="Marginalia: a GraphQL server for a chat in the margin of every section of every document.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The URL of the database: sqlite:///path or postgresql://user@host/db. Default: MARGINALIA_DATABASE_URL, "
        "or an SQLite file under var/.",
    ),
]


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on; loopback only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: any free port.")] = 8000,
    database: DatabaseOption = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="The number of worker processes.")] = 1,
    load_demo: Annotated[bool, typer.Option("--demo", help="Import the project's documentation, once.")] = False,
    reload: Annotated[bool, typer.Option("--reload", help="Restart when the code changes.")] = False,
) -> None:
    """Serve the API and the explorer."""
    settings = _settings(database)
    if reload and workers > 1:
        _fail("--reload works with one worker only.")
    try:
        if settings.trusted_documents:
            read_manifest(settings.trusted_documents)
        server.check_host(host)
        listening = server.listen(host, port)
    except BadManifest as error:
        _fail(str(error), MISCONFIGURED)
    except server.CannotListen as error:
        _fail(str(error))

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

    loaded = _with_database(settings, load, prepared=False)
    address = server.address(listening)

    def announce() -> None:
        write_line(f"Data: {without_password(settings.database_url)}")
        print(f"GraphQL   {address}/graphql")
        if settings.explorer:
            print(f"Explorer  {address}/graphiql")
        print(f"Health    {address}/readyz")
        if loaded is not None:
            print(f"\nTry it:\n{loaded.curl(address)}\n")
        sys.stdout.flush()
        output.forgive()

    with metrics_workers.shared() if workers > 1 else nullcontext():
        server.run(
            listening,
            announce,
            workers=workers,
            reload=reload,
            max_message_bytes=settings.max_socket_message_bytes,
            keep_alive_seconds=settings.keep_alive_seconds,
        )


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Markdown files.", show_default=False)],
    database: DatabaseOption = None,
) -> None:
    """Import Markdown files, one document per file. Print the id of each document on a line."""
    if not _with_database(_settings(database), lambda opened: _import(opened, files)):
        raise typer.Exit(1)


@app.command()
def migrate(database: DatabaseOption = None) -> None:
    """Upgrade the schema of the database."""

    async def upgrade(opened: Database) -> str:
        before = await migrations_upgrade.upgrade(opened)
        if not before.known:
            return f"is {before.present}, from a newer version; this version can serve it, and leaves it unchanged"
        return "is up to date" if before.is_current else f"went from {before.present or 'none'} to {before.needed}"

    print(f"The schema {_with_database(_settings(database), upgrade, prepared=False)}.")


@app.command()
def schema() -> None:
    """Print the GraphQL schema, in the format of the committed schema.graphql."""
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr] # the schema is UTF-8, whatever the locale
    print(sdl(), end="")


@app.command("doctor")
def examine(
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired without losing text.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, the summary last.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Check the database for violated rules. Without --repair, nothing is changed.

    The exit code is 0 if nothing was found, 1 if something was found, even if all of it was repaired, and 2 if the
    database cannot be read.
    """
    settings = _settings(database)

    async def work(opened: Database) -> bool:
        await check(opened)
        return await doctor.examine(opened, repair=repair, as_json=as_json)

    if not _with_database(settings, work, prepared=False, read_only=not repair, made=False, code=UNREADABLE):
        raise typer.Exit(1)


@app.command("import-legacy")
def import_legacy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON: see docs/legacy-import.md.", show_default=False)],
    database: DatabaseOption = None,
) -> None:
    """Import documents, sections, chats and messages from another system: the whole file, or nothing."""
    settings = _settings(database)
    read = legacy.read(file)
    if read is None or not _with_database(settings, lambda opened: legacy.take_in(opened, file, read)):
        raise typer.Exit(1)


async def _import(database: Database, paths: list[Path]) -> bool:
    errors = Console(stderr=True)
    store = Store(database, LOCAL_OWNER)
    failed = 0
    # The bar is on standard error, the ids on standard output. They share the console only if both are the terminal.
    shared = sys.stdout.isatty()
    with Progress(console=errors, transient=True, disable=not errors.is_terminal, redirect_stdout=shared) as progress:
        for file in progress.track(paths, description="Importing"):
            try:
                text = files.read_text(file, most=LARGEST_FILE)
            except UnreadableFile as error:
                write_line(f"{file}: {error}", error=True)
                failed += 1
                continue
            made = await documents.import_document(store, None, text, None, file.stem)
            if isinstance(made, documents.ImportDocumentSuccess):
                print(made.document.id, flush=True)
            else:
                write_line(f"{file}: {made.message}", error=True)
                failed += 1
    return not failed


def _settings(database: str | None) -> Settings:
    if database is not None:
        if not database:
            _fail("--database is empty; it needs a URL.", MISCONFIGURED)
        # Through the environment, because the worker processes read it too.
        os.environ["MARGINALIA_DATABASE_URL"] = database
    try:
        settings = read_settings()
    except BadSettings as error:
        _fail(str(error), MISCONFIGURED)
    log_config.configure(settings.log_level)
    return settings


def _with_database(
    settings: Settings,
    work: Callable[[Database], Awaitable[T]],
    *,
    prepared: bool = True,
    made: bool = True,
    read_only: bool = False,
    code: int = 1,
) -> T:
    """Run `work` on the configured database, or end the process with a one-line error.

    `prepared`: upgrade or check the schema first. `made`: create a missing file. `read_only`: write nothing.
    """

    async def run() -> T:
        if not made and is_missing(settings.database_url):
            raise NotReady("The database file does not exist.")
        try:
            opened = Database(settings.database_url, lock_timeout=settings.lock_timeout, read_only=read_only)
        except OSError as error:
            raise NotReady(f"The database cannot be opened: {error}") from error
        try:
            with connection_errors.translate_damage():
                if prepared:
                    await prepare(opened)
                return await work(opened)
        finally:
            await opened.close()

    try:
        return asyncio.run(run())
    except (BadDatabaseUrl, NotReady, migrations_upgrade.UpgradeFailed) as error:
        _fail(str(error), code)
    except connection_errors.DatabaseDamaged as error:
        _fail(f"The database is damaged: {error}. For details, run: python -m marginalia doctor", code)
    except DatabaseUnavailable as error:
        _fail(f"The database cannot be reached: {error}", code)


def _fail(line: str, code: int = 1) -> NoReturn:
    write_line(f"marginalia: {line}", error=True)
    raise typer.Exit(code)


def main() -> None:
    """Run the command line. A usage error is reported in one line."""
    terminal.spell_out_what_cannot_be_encoded()
    sys.excepthook = terminal.write_traceback
    try:
        sys.exit(app(prog_name="python -m marginalia", standalone_mode=False))
    except TyperException as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ != "NoArgsIsHelpError":  # typer has already printed the help
            help_of = f" See: {context.command_path} --help" if context else ""
            write_line(f"marginalia: {error.format_message().rstrip('.')}.{help_of}", error=True)
        sys.exit(MISCONFIGURED)
    except typer.Abort:
        sys.exit(1)
