"""Indexes of the trashed rows by time, for listing the trash.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
compatible_from = "0001"

TABLES = ("documents", "sections")


def upgrade() -> None:
    """Create the partial indexes of trashed rows."""
    trashed = sa.text("deleted_at IS NOT NULL")
    for table in TABLES:
        columns = ["workspace_id", "deleted_at", "id"]
        op.create_index(None, table, columns, postgresql_where=trashed, sqlite_where=trashed)


def downgrade() -> None:
    """Drop the indexes."""
    for table in TABLES:
        op.drop_index(f"{table}_workspace_id_deleted_at_id_idx", table)
