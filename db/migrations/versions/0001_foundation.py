"""Workspaces, documents, sections and their placements, chats and messages.

Revision ID: 0001
Revises:
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
compatible_from = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table("workspaces", _workspace(), *_times(), sa.PrimaryKeyConstraint("workspace_id"))
    op.create_table(
        "documents",
        _workspace(),
        _text("id"),
        _text("title"),
        _text("description", nullable=True),
        _json("tags", "[]"),
        _json("metadata", "{}"),
        _number("version", 1),
        _text("created_by"),
        _time("deleted_at"),
        *_times(),
        _key("id"),
        _of_workspace(),
    )
    op.create_index(None, "documents", ["workspace_id", "created_at", "id"])
    op.create_table(
        "sections",
        _workspace(),
        _text("id"),
        _text("title", nullable=True),
        _number("level", 1),
        _text("content", server_default=sa.text("''")),
        _text("status", server_default=sa.text("'DRAFT'")),
        _json("tags", "[]"),
        _json("metadata", "{}"),
        _number("version", 1),
        _text("chat_session_id", nullable=True),
        _text("created_by"),
        _time("deleted_at"),
        *_times(),
        _key("id"),
        _of_workspace(),
        sa.CheckConstraint("level BETWEEN 1 AND 6", name="level"),
        sa.CheckConstraint("status IN ('DRAFT', 'GENERATED', 'REVIEWED', 'APPROVED')", name="status"),
    )
    op.create_table(
        "document_sections",
        _workspace(),
        _text("document_id"),
        _text("section_id"),
        sa.Column("position", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("is_copy", sa.Boolean(), server_default=sa.false(), nullable=False),
        *_times(),
        _key("document_id", "section_id"),
        _of_workspace(),
        _reference("document_id", "documents"),
        _reference("section_id", "sections"),
    )
    op.create_index(None, "document_sections", ["workspace_id", "section_id"])
    op.create_index(None, "document_sections", ["workspace_id", "document_id", "position"])
    op.create_table(
        "chat_sessions",
        _workspace(),
        _text("id"),
        _text("section_id"),
        _text("document_id", nullable=True),
        _text("created_by"),
        _number("last_seq", 0),
        *_times(),
        _key("id"),
        _of_workspace(),
        _reference("section_id", "sections"),
        _reference("document_id", "documents"),
        sa.UniqueConstraint("workspace_id", "section_id", name="chat_sessions_section_key"),
    )
    op.create_index(None, "chat_sessions", ["workspace_id", "document_id"])
    op.create_table(
        "messages",
        _workspace(),
        _text("id"),
        _text("chat_id"),
        sa.Column("seq", sa.Integer(), nullable=False),
        _text("role"),
        _text("author"),
        _text("content"),
        _text("client_id", nullable=True),
        *_times(),
        _key("id"),
        _of_workspace(),
        _reference("chat_id", "chat_sessions"),
        sa.UniqueConstraint("workspace_id", "chat_id", "seq"),
        sa.UniqueConstraint("workspace_id", "chat_id", "author", "client_id", name="messages_client_key"),
        sa.CheckConstraint("role IN ('USER', 'ASSISTANT', 'SYSTEM')", name="role"),
    )


def downgrade() -> None:
    """Drop the tables, referencing tables first."""
    for table in ("messages", "chat_sessions", "document_sections", "sections", "documents", "workspaces"):
        op.drop_table(table)


def _workspace() -> sa.Column[str]:
    return _text("workspace_id")


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), **{"nullable": False, **options})


def _number(name: str, default: int) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text(str(default)), nullable=False)


def _json(name: str, default: str) -> sa.Column[Any]:
    kind = sa.JSON().with_variant(JSONB(), "postgresql")
    return sa.Column(name, kind, server_default=sa.text(f"'{default}'"), nullable=False)


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


def _reference(column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["workspace_id", column], [f"{target}.workspace_id", f"{target}.id"])
