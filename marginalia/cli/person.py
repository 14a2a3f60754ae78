"""The command line of people: exporting what a user wrote, and erasing a user."""

from typing import TYPE_CHECKING, Annotated

import typer

from marginalia.cli.failure import MISCONFIGURED, fail
from marginalia.cli.options import DatabaseOption, WorkspaceOption
from marginalia.terminal import as_json, write_line

if TYPE_CHECKING:
    from db.store import Store
    from services.outcomes import Forbidden
    from services.people import EraseUserResult

app = typer.Typer(name="person", help="Export what a user wrote, or erase a user.", no_args_is_help=True)

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="The id of the user.", show_default=False)]


@app.command()
def export(user: UserArgument, workspace: WorkspaceOption = "local", database: DatabaseOption = None) -> None:
    """Print everything that a workspace holds of a user, as one JSON object."""
    from marginalia.cli.owner import as_owner
    from services import people
    from services.outcomes import Forbidden

    async def work(store: "Store") -> "Forbidden | None":
        exported = await people.export_user(store, user)
        if isinstance(exported, Forbidden):
            return exported
        # Printed as it is read, because it can be long: a line for each row.
        write_line(f'{{"user": {as_json(exported.user)}')
        async for name, records in exported.lists:
            write_line(f',"{name}": [')
            separator = ""
            async for record in records:
                write_line(separator + as_json(record))
                separator = ","
            write_line("]")
        write_line("}")
        return None

    as_owner(database, workspace, work)


@app.command()
def erase(
    user: UserArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Erase the user: this cannot be undone.")] = False,
    workspace: WorkspaceOption = "local",
    database: DatabaseOption = None,
) -> None:
    """Erase a user for good, and print the receipt as JSON.

    Their messages become empty; their name, avatar and id are replaced everywhere; their grants are deleted, and their
    share links and API keys revoked. Documents and sections stay: they belong to the workspace.
    """
    if not yes:
        fail("An erasure cannot be undone. To erase the user, add --yes.", MISCONFIGURED)
    from db import ids
    from marginalia.cli.owner import as_owner
    from services import people
    from services.people import EraseUserSuccess

    async def work(store: "Store") -> "EraseUserResult":
        return await people.erase_user(store, user, seconds=None)

    receipt: EraseUserSuccess = as_owner(database, workspace, work)
    write_line(as_json({"user": ids.USER + receipt.user_id, **receipt.counts}))
