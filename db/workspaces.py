"""Workspaces: the tenants."""

from sqlalchemy import select

from db.database import Database
from db.inserts import insert_new
from db.models import Workspace


async def ensure(database: Database, workspace_id: str) -> None:
    """Make a workspace unless it is there. Raises `Unavailable`."""
    async with database.read() as session:
        there = await session.scalar(select(Workspace.workspace_id).filter_by(workspace_id=workspace_id))
    if there is None:
        row = Workspace(workspace_id=workspace_id)
        await database.transact(lambda session: insert_new(session, row, "workspace_id"))
