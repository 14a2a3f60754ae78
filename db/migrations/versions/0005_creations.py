"""What the retry of a creation is recognised by, and what the links of a section need in other documents.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
compatible_from = "0001"

TABLES = ("documents", "sections")


def upgrade() -> None:
    """Add the columns; what is there already has nothing in them."""
    for table in TABLES:
        op.add_column(table, sa.Column("creation_digest", sa.Text()))
    op.add_column("sections", sa.Column("link_definitions", sa.JSON().with_variant(JSONB(), "postgresql")))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("sections", "link_definitions")
    for table in TABLES:
        op.drop_column(table, "creation_digest")
