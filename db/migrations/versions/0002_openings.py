"""The chats of a workspace in the order of their opening, for reading those that are new.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
compatible_from = "0001"


def upgrade() -> None:
    """Make the index."""
    op.create_index(None, "chat_sessions", ["workspace_id", "created_at", "id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("chat_sessions_workspace_id_created_at_id_idx", "chat_sessions")
