"""An index that covers the documents of a section, for index-only scans.

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
    """Replace the index by one that includes the document."""
    op.create_index(None, TABLE, [*COLUMNS, "document_id"])
    op.drop_index("document_sections_workspace_id_section_id_idx", TABLE)


def downgrade() -> None:
    """Restore the old index."""
    op.create_index(None, TABLE, COLUMNS)
    op.drop_index("document_sections_workspace_id_section_id_document_id_idx", TABLE)
