"""The command line of the audit: its entries as JSON lines."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from marginalia.cli.options import DatabaseOption, WorkspaceOption
from marginalia.terminal import as_json, write_line

if TYPE_CHECKING:
    from db.store import Store

app = typer.Typer()

Moment = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
        help="A time, in UTC if it has no time zone: 2026-11-27, or 2026-11-27T09:30:00Z.",
    ),
]


@app.command()
def audit(
    since: Moment = None,
    until: Moment = None,
    workspace: WorkspaceOption = "local",
    database: DatabaseOption = None,
) -> None:
    """Print the audit of a workspace, oldest first: one JSON object per line."""
    from db.audit import AuditFilter
    from marginalia.cli.owner import as_owner
    from services import audit
    from services.records import record

    wanted = AuditFilter(since=_in_utc(since), until=_in_utc(until))

    async def work(store: "Store") -> None:
        async for entry in audit.all_entries(store, wanted):
            write_line(as_json(record(entry)))

    as_owner(database, workspace, work)


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
