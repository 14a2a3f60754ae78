"""The command line of workspaces: creates and lists them."""

from typing import Annotated

import typer

from marginalia.cli.failure import MISCONFIGURED, fail
from marginalia.cli.options import DatabaseOption, database_settings
from marginalia.terminal import printable

app = typer.Typer(help="Create and list workspaces, the tenants of a database.", no_args_is_help=True)


@app.command()
def create(
    workspace_id: Annotated[str, typer.Argument(metavar="ID", help="Its id: 1 to 200 visible characters.")],
    name: Annotated[str | None, typer.Option(help="Its name; without one, the id is shown.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Create a workspace."""
    settings = database_settings(database)
    from db import workspaces
    from marginalia.authentication.claims import is_workspace_id
    from marginalia.authentication.credentials import one_line
    from marginalia.cli.database import with_database

    if not is_workspace_id(workspace_id):
        fail("The id of a workspace has 1 to 200 visible characters.", MISCONFIGURED)
    shown = one_line(name) if name else None
    if not with_database(settings, lambda opened: workspaces.create(opened, workspace_id, shown or None)):
        fail(f"The workspace {workspace_id} exists already.")
    print(workspace_id)


@app.command("list")
def list_all(database: DatabaseOption = None) -> None:
    """Print the id and the name of each workspace on a line, separated by a tab."""
    settings = database_settings(database)
    from db import workspaces
    from marginalia.cli.database import with_database

    for workspace_id, name in with_database(settings, workspaces.named):
        print(f"{printable(workspace_id)}\t{printable(name)}")
