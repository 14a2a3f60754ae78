"""The earlier states of documents and sections, who made the current one, former positions, and orders of lists.

Revision ID: 0007
Revises: 0006
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
# Earlier code would change texts without keeping their states, and could not purge what has revisions.
compatible_from = "0007"

ORDERS = (("documents", "updated_at"), ("sections", "created_at"), ("sections", "updated_at"))
"""The orders in which lists are read."""

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Create the tables and add the columns. The history of existing rows begins with their present version."""
    for table in ("documents", "sections"):
        op.add_column(table, _text("edited_by", nullable=True))
        op.add_column(table, _text("change_summary", nullable=True))
        op.add_column(table, _flag("is_generated"))
    op.add_column("document_sections", _number("since_version", server_default=sa.text("1")))
    _create(
        "section_revisions",
        _text("section_id"),
        _text("title", nullable=True),
        _number("level"),
        _text("content"),
        _text("status"),
        sa.Column("link_definitions", JSON),
        *_revision(),
        _key("section_id", "version"),
        _of("section"),
    )
    _create(
        "document_revisions",
        _text("document_id"),
        _text("title"),
        _text("description", nullable=True),
        *_revision(),
        _key("document_id", "version"),
        _of("document"),
    )
    _create(
        "former_placements",
        _text("document_id"),
        _text("section_id"),
        _number("since_version"),
        _number("until_version"),
        sa.Column("position", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        _flag("is_copy"),
        _key("document_id", "section_id", "since_version"),
        _of("document"),
        _of("section"),
    )
    op.create_index(None, "former_placements", ["workspace_id", "section_id"])
    for table, column in ORDERS:
        op.create_index(None, table, ["workspace_id", column, "id"])


def downgrade() -> None:
    """Drop the tables, the columns and the indexes."""
    for table, column in ORDERS:
        op.drop_index(f"{table}_workspace_id_{column}_id_idx", table)
    for table in ("former_placements", "document_revisions", "section_revisions"):
        op.drop_table(table)
    op.drop_column("document_sections", "since_version")
    for table in ("sections", "documents"):
        for column in ("is_generated", "change_summary", "edited_by"):
            op.drop_column(table, column)


def _create(table: str, *parts: Any) -> None:
    op.create_table(table, _text("workspace_id"), *parts, *_times(), _of_workspace())


def _revision() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("tags", JSON, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("metadata", JSON, server_default=sa.text("'{}'"), nullable=False),
        _number("version"),
        _text("edited_by"),
        _text("change_summary", nullable=True),
        _flag("is_generated"),
    )


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), **{"nullable": False, **options})


def _number(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, **options)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)


def _times() -> tuple[sa.Column[Any], sa.Column[Any]]:
    now = {"postgresql": "statement_timestamp()", "sqlite": "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"}
    default = sa.text(now[op.get_bind().dialect.name])
    return (
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=default, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=default, nullable=False),
    )


def _key(*columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("workspace_id", *columns)


def _of_workspace() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.workspace_id"])


def _of(noun: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["workspace_id", f"{noun}_id"], [f"{noun}s.workspace_id", f"{noun}s.id"])
