"""The digest that identifies the retry of a create call, and the link definitions of a section.

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

# An import kept them in the metadata of the section.
MOVE = {
    "postgresql": """
        UPDATE sections
        SET link_definitions = metadata -> 'linkDefinitions', metadata = metadata - 'linkDefinitions'
        WHERE metadata ? 'linkDefinitions'
    """,
    "sqlite": """
        UPDATE sections
        SET link_definitions = json_extract(metadata, '$.linkDefinitions'),
            metadata = json_remove(metadata, '$.linkDefinitions')
        WHERE json_type(metadata, '$.linkDefinitions') = 'object'
    """,
}


def upgrade() -> None:
    """Add the columns, null in existing rows but for the link definitions of earlier imports."""
    for table in TABLES:
        op.add_column(table, sa.Column("creation_digest", sa.Text()))
    op.add_column("sections", sa.Column("link_definitions", sa.JSON().with_variant(JSONB(), "postgresql")))
    op.execute(MOVE[op.get_bind().dialect.name])


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("sections", "link_definitions")
    for table in TABLES:
        op.drop_column(table, "creation_digest")
