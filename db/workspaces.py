"""Workspaces: the tenants."""

from sqlalchemy import select, update

from db.connection.database import Database
from db.ids import is_findable
from db.inserts import insert_if_absent
from db.models import Workspace
from db.times import utcnow


async def ensure(database: Database, workspace_id: str) -> None:
    """Create a workspace if it does not exist. Raises `DatabaseUnavailable`."""
    if not await exists(database, workspace_id):
        row = Workspace(workspace_id=workspace_id)
        await database.transact(lambda session: insert_if_absent(session, row, "workspace_id"))


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
