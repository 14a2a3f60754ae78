"""The command line of share links: creating, listing and revoking them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from marginalia.cli.options import DatabaseOption, DaysOption, WorkspaceOption
from marginalia.terminal import write_line

if TYPE_CHECKING:
    from db.models import ShareLink
    from db.store import Store
    from services.outcomes import DocumentNotFound
    from services.share_links import CreateShareLinkResult, RevokeShareLinkResult

app = typer.Typer(name="links", help="Create, list and revoke share links of a document.", no_args_is_help=True)

DocumentArgument = Annotated[str, typer.Argument(metavar="DOC", help="The id of the document.", show_default=False)]


@app.command()
def create(
    document: DocumentArgument,
    role: Annotated[str, typer.Option(help="READER or COMMENTER.")] = "READER",
    days: DaysOption = None,
    workspace: WorkspaceOption = "local",
    database: DatabaseOption = None,
) -> None:
    """Create a share link. Print its secret on standard output: it is shown this once."""
    from db import ids
    from db.principals import Role
    from marginalia.cli.choices import chosen
    from marginalia.cli.owner import as_owner, expiry
    from services import share_links
    from services.share_links import CreateShareLinkSuccess

    chosen_role = chosen("--role", Role, role)

    async def work(store: "Store") -> "CreateShareLinkResult":
        document_id = ids.with_prefix(ids.DOCUMENT, document)
        return await share_links.create_share_link(store, document_id, chosen_role, expiry(days))

    created: CreateShareLinkSuccess = as_owner(database, workspace, work)
    write_line(created.secret)
    write_line(f"{created.share_link.id}: keep the secret safe; it cannot be shown again.", error=True)


@app.command("list")
def list_all(document: DocumentArgument, workspace: WorkspaceOption = "local", database: DatabaseOption = None) -> None:
    """List the share links of a document, newest first, a line for each."""
    from db import ids
    from db.principals import Role
    from marginalia.cli.owner import as_owner, status
    from services import share_links

    async def work(store: "Store") -> "Sequence[ShareLink] | DocumentNotFound":
        return await share_links.all_links(store, ids.with_prefix(ids.DOCUMENT, document))

    links: Sequence[ShareLink] = as_owner(database, workspace, work)
    for link in links:
        write_line("  ".join([link.id, Role(link.role).name, status(link.expires_at, link.revoked_at)]))


@app.command()
def revoke(
    link_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the link.", show_default=False)],
    workspace: WorkspaceOption = "local",
    database: DatabaseOption = None,
) -> None:
    """Revoke a share link for good."""
    from db import ids
    from marginalia.cli.owner import as_owner, status
    from services import share_links
    from services.share_links import RevokeShareLinkSuccess

    async def work(store: "Store") -> "RevokeShareLinkResult":
        return await share_links.revoke_share_link(store, ids.with_prefix(ids.SHARE_LINK, link_id))

    revoked: RevokeShareLinkSuccess = as_owner(database, workspace, work)
    write_line(f"{revoked.share_link.id}  {status(None, revoked.share_link.revoked_at)}")
