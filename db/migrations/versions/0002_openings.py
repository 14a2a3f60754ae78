"""An index of a workspace's chats by creation time, for polling new chats.

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
    """Create the index."""
    op.create_index(None, "chat_sessions", ["workspace_id", "created_at", "id"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("chat_sessions_workspace_id_created_at_id_idx", "chat_sessions")
