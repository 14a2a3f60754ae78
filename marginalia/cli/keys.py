"""The command line of API keys: creating, listing and revoking them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from marginalia.cli.options import DatabaseOption, DaysOption, WorkspaceOption
from marginalia.terminal import write_line

if TYPE_CHECKING:
    from db.models import ApiKey
    from db.store import Store
    from services.api_keys import CreateApiKeyResult, RevokeApiKeyResult

app = typer.Typer(name="keys", help="Create, list and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name by which owners recognise the key.", show_default=False)
    ],
    role: Annotated[str, typer.Option(help="READER, COMMENTER, EDITOR or OWNER.")] = "EDITOR",
    kind: Annotated[str, typer.Option(help="SERVICE or ASSISTANT.")] = "SERVICE",
    days: DaysOption = None,
    workspace: WorkspaceOption = "local",
    database: DatabaseOption = None,
) -> None:
    """Create an API key. Print its secret on standard output: it is shown this once."""
    from db.models import UserKind
    from db.principals import Role
    from marginalia.cli.choices import chosen
    from marginalia.cli.owner import as_owner, expiry
    from services import api_keys
    from services.api_keys import CreateApiKeySuccess

    chosen_role, chosen_kind = chosen("--role", Role, role), chosen("--kind", UserKind, kind)

    async def work(store: "Store") -> "CreateApiKeyResult":
        return await api_keys.create_api_key(store, name, chosen_role, chosen_kind, expiry(days))

    created: CreateApiKeySuccess = as_owner(database, workspace, work)
    write_line(created.secret)
    write_line(f"{created.api_key.id}: keep the secret safe; it cannot be shown again.", error=True)


@app.command("list")
def list_all(workspace: WorkspaceOption = "local", database: DatabaseOption = None) -> None:
    """List the API keys of a workspace, newest first, a line for each."""
    from db.principals import Role
    from marginalia.cli.owner import as_owner, status
    from services import api_keys

    keys: Sequence[ApiKey] = as_owner(database, workspace, api_keys.all_keys)
    for key in keys:
        used = f"last used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
        state = status(key.expires_at, key.revoked_at)
        write_line("  ".join([key.id, Role(key.role).name, key.kind, state, used, key.name]))


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the key.", show_default=False)],
    workspace: WorkspaceOption = "local",
    database: DatabaseOption = None,
) -> None:
    """Revoke an API key for good."""
    from db import ids
    from marginalia.cli.owner import as_owner, status
    from services import api_keys
    from services.api_keys import RevokeApiKeySuccess

    async def work(store: "Store") -> "RevokeApiKeyResult":
        return await api_keys.revoke_api_key(store, ids.with_prefix(ids.API_KEY, key_id))

    revoked: RevokeApiKeySuccess = as_owner(database, workspace, work)
    write_line(f"{revoked.api_key.id}  {status(None, revoked.api_key.revoked_at)}")
