"""The command line: serve, import, migrate, schema, doctor, import-legacy; others have files of their own.

A command imports what it needs when it is called, so that each starts without the libraries of the others.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from marginalia import terminal
from marginalia.cli import audit, keys, links, person, tokens, workspaces
from marginalia.cli.failure import MISCONFIGURED, UNREADABLE, fail
from marginalia.cli.options import DatabaseOption, database_settings, read_for
from marginalia.terminal import write_line

if TYPE_CHECKING:
    from db.connection.database import Database

app = typer.Typer(
    help="Marginalia: a GraphQL server for a chat in the margin of every section of every document.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(tokens.secret)
app.command()(tokens.token)
app.add_typer(workspaces.app, name="workspace")
for _commands in (keys.app, links.app, audit.app, person.app):
    app.add_typer(_commands)


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="The address to listen on; without MARGINALIA_AUTH=tokens, loopback only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: any free port.")] = 8000,
    uds: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="A Unix socket to listen on, instead of a host and a port.", show_default=False
        ),
    ] = None,
    root_path: Annotated[
        str | None,
        typer.Option(
            metavar="PREFIX", help="The path under which a proxy shows the server. Default: MARGINALIA_ROOT_PATH."
        ),
    ] = None,
    database: DatabaseOption = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="The number of worker processes.")] = 1,
    load_demo: Annotated[bool, typer.Option("--demo", help="Import the project's documentation, once.")] = False,
    reload: Annotated[bool, typer.Option("--reload", help="Restart when the code changes.")] = False,
) -> None:
    """Serve the API and the explorer."""
    from marginalia.cli import serving
    from marginalia.settings import read_settings

    if root_path is not None:
        os.environ["MARGINALIA_ROOT_PATH"] = root_path  # for the worker processes too
    settings = read_for(database, read_settings)
    if reload and workers > 1:
        fail("--reload works with one worker only.")
    serving.serve(settings, uds or (host, port), workers=workers, load_demo=load_demo, reload=reload)


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Markdown files.", show_default=False)],
    database: DatabaseOption = None,
) -> None:
    """Import Markdown files, one document per file. Print the id of each document on a line."""
    settings = database_settings(database)
    from marginalia.cli import markdown
    from marginalia.cli.database import with_database

    if not with_database(settings, lambda opened: markdown.take_in(opened, files)):
        raise typer.Exit(1)


@app.command()
def migrate(database: DatabaseOption = None) -> None:
    """Upgrade the schema of the database."""
    settings = database_settings(database)
    from db.migrations import upgrade as migrations_upgrade
    from marginalia.cli.database import with_database

    async def upgrade(opened: "Database") -> str:
        before = await migrations_upgrade.upgrade(opened)
        if not before.known:
            return f"is {before.present}, from a newer version; this version can serve it, and leaves it unchanged"
        return "is up to date" if before.is_current else f"went from {before.present or 'none'} to {before.needed}"

    print(f"The schema {with_database(settings, upgrade, prepared=False)}.")


@app.command()
def schema() -> None:
    """Print the GraphQL schema, in the format of the committed schema.graphql."""
    from schema.build import sdl

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
    settings = database_settings(database)
    from marginalia.cli import doctor
    from marginalia.cli.database import with_database
    from marginalia.startup import check

    async def work(opened: "Database") -> bool:
        await check(opened)
        return await doctor.examine(opened, repair=repair, as_json=as_json)

    if not with_database(settings, work, prepared=False, read_only=not repair, made=False, code=UNREADABLE):
        raise typer.Exit(1)


@app.command("import-legacy")
def import_legacy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON: see docs/legacy-import.md.", show_default=False)],
    database: DatabaseOption = None,
) -> None:
    """Import documents, sections, chats and messages from another system: the whole file, or nothing."""
    settings = database_settings(database)
    from marginalia.cli import legacy
    from marginalia.cli.database import with_database

    read = legacy.read(file)
    if read is None or not with_database(settings, lambda opened: legacy.take_in(opened, file, read)):
        raise typer.Exit(1)


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
