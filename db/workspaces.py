"""Workspaces: the tenants."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select, update

from db.connection.database import Database
from db.ids import is_findable
from db.inserts import insert_if_absent
from db.models import Workspace
from db.reading.sql_arrays import any_of
from db.times import utcnow


async def ensure(database: Database, workspace_id: str) -> None:
    """Create a workspace if it does not exist. Raises `DatabaseUnavailable`."""
    if not await exists(database, workspace_id):
        row = Workspace(workspace_id=workspace_id)
        await database.transact(lambda session: insert_if_absent(session, row, "workspace_id"))


async def name(database: Database, workspace_id: str) -> str | None:
    """Read the name of a workspace, if it has one. Raises `DatabaseUnavailable`."""
    async with database.read() as session:
        found: str | None = await session.scalar(select(Workspace.name).filter_by(workspace_id=workspace_id))
        return found


async def create(database: Database, workspace_id: str, name: str | None = None) -> bool:
    """Create a workspace. False: it exists, and stays unchanged. Raises `DatabaseUnavailable`."""
    row = Workspace(workspace_id=workspace_id, name=name)
    return await database.transact(lambda session: insert_if_absent(session, row, "workspace_id")) is not None


async def existing(database: Database, workspace_ids: Sequence[str]) -> Mapping[str, bool]:
    """Read which of these workspaces exist. Raises `DatabaseUnavailable`."""
    async with database.read() as session:
        there = await session.scalars(
            select(Workspace.workspace_id).where(any_of(Workspace.workspace_id, workspace_ids))
        )
        return dict.fromkeys(workspace_ids, False) | dict.fromkeys(there, True)


async def named(database: Database) -> Sequence[tuple[str, str]]:
    """Read the id and the name of each workspace, by id. Raises `DatabaseUnavailable`."""
    async with database.read() as session:
        rows = await session.execute(select(Workspace.workspace_id, Workspace.name).order_by(Workspace.workspace_id))
        return [(workspace_id, name or workspace_id) for workspace_id, name in rows]


async def exists(database: Database, workspace_id: str) -> bool:
    """Whether a workspace exists. Raises `DatabaseUnavailable`."""
    if not is_findable(workspace_id):
        return False
    async with database.read() as session:
        there = await session.scalar(select(Workspace.workspace_id).filter_by(workspace_id=workspace_id))
    return there is not None


async def probe_write(database: Database, workspace_id: str) -> None:
    """Probe that the database accepts writes: update a time of a workspace. Raises `DatabaseUnavailable`."""
    # A transaction that holds the row lock, such as an import, proves the same. The probe does not wait for it.
    free = select(Workspace.workspace_id).filter_by(workspace_id=workspace_id)
    free = free.with_for_update(key_share=True, skip_locked=True)
    # A new time: SQLite writes nothing if the value does not change.
    touched = update(Workspace).where(Workspace.workspace_id.in_(free)).values(updated_at=utcnow())
    touched = touched.execution_options(synchronize_session=False)
    await database.transact(lambda session: session.execute(touched))
