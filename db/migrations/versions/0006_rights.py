"""Users, grants, share links, API keys, the audit, and the access of documents.

Revision ID: 0006
Revises: 0005
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
# Earlier code would show restricted documents to everybody.
compatible_from = "0006"

KINDS = "kind IN ('PERSON', 'SERVICE', 'ASSISTANT', 'GUEST')"


def upgrade() -> None:
    """Create the tables and add the columns. Existing documents stay open to their workspace."""
    op.add_column("workspaces", sa.Column("name", sa.Text()))
    # As text: Alembic adds no constraint with a column, and SQLite none afterwards.
    op.execute(
        "ALTER TABLE documents ADD COLUMN access TEXT DEFAULT 'WORKSPACE' NOT NULL "
        "CONSTRAINT documents_access_check CHECK (access IN ('WORKSPACE', 'RESTRICTED'))"
    )
    op.add_column("sections", sa.Column("removed_from", sa.Text()))
    _create(
        "users",
        _text("id"),
        _text("kind", server_default=sa.text("'PERSON'")),
        _text("name"),
        _text("avatar_url", nullable=True),
        _time("named_at"),
        _key("id"),
        sa.CheckConstraint(KINDS, name="kind"),
    )
    _create(
        "grants",
        _text("document_id"),
        _text("user_id"),
        _role(),
        _text("granted_by"),
        _key("document_id", "user_id"),
        _of_document(),
        sa.CheckConstraint("role BETWEEN 1 AND 3", name="role"),
    )
    op.create_index(None, "grants", ["workspace_id", "user_id", "document_id"])
    _create(
        "share_links",
        _text("id"),
        _text("document_id"),
        _text("digest"),
        _role(),
        _text("created_by"),
        _time("expires_at"),
        _time("revoked_at"),
        _key("id"),
        _of_document(),
        sa.CheckConstraint("role BETWEEN 1 AND 2", name="role"),
    )
    op.create_index(None, "share_links", ["workspace_id", "document_id"])
    op.create_index(None, "share_links", ["digest"])
    _create(
        "api_keys",
        _text("id"),
        _text("name"),
        _text("digest"),
        _role(),
        _text("kind", server_default=sa.text("'SERVICE'")),
        _text("created_by"),
        _time("expires_at"),
        _time("last_used_at"),
        _time("revoked_at"),
        _key("id"),
        sa.CheckConstraint("role BETWEEN 1 AND 4", name="role"),
        sa.CheckConstraint(KINDS, name="kind"),
    )
    op.create_index(None, "api_keys", ["digest"])
    _create(
        "audit_entries",
        _text("id"),
        _text("actor"),
        _text("action"),
        _text("subject_id", nullable=True),
        _text("outcome"),
        _text("request_id", nullable=True),
        sa.Column(
            "details", sa.JSON().with_variant(JSONB(), "postgresql"), server_default=sa.text("'{}'"), nullable=False
        ),
        _key("id"),
    )
    op.create_index(None, "audit_entries", ["workspace_id", "created_at", "id"])


def downgrade() -> None:
    """Drop the tables and the columns. Restricted documents become open to their workspace."""
    for table in ("audit_entries", "api_keys", "share_links", "grants", "users"):
        op.drop_table(table)
    op.drop_column("sections", "removed_from")
    op.drop_column("documents", "access")
    op.drop_column("workspaces", "name")


def _create(table: str, *parts: Any) -> None:
    op.create_table(table, _text("workspace_id"), *parts, *_times(), _of_workspace())


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), **{"nullable": False, **options})


def _role() -> sa.Column[int]:
    return sa.Column("role", sa.Integer(), nullable=False)


def _time(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), **options)


def _times() -> tuple[sa.Column[Any], sa.Column[Any]]:
    now = {"postgresql": "statement_timestamp()", "sqlite": "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"}
    default = sa.text(now[op.get_bind().dialect.name])
    return (
        _time("created_at", server_default=default, nullable=False),
        _time("updated_at", server_default=default, nullable=False),
    )


def _key(*columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("workspace_id", *columns)


def _of_workspace() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.workspace_id"])


def _of_document() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["workspace_id", "document_id"], ["documents.workspace_id", "documents.id"])
