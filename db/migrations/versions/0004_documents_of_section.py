"""The documents of a section, to be found without looking at the rows.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
compatible_from = "0001"

TABLE = "document_sections"
COLUMNS = ["workspace_id", "section_id"]


def upgrade() -> None:
    """Make the index that takes the place of another."""
    op.create_index(None, TABLE, [*COLUMNS, "document_id"])
    op.drop_index("document_sections_workspace_id_section_id_idx", TABLE)


def downgrade() -> None:
    """Go back to the other one."""
    op.create_index(None, TABLE, COLUMNS)
    op.drop_index("document_sections_workspace_id_section_id_document_id_idx", TABLE)
