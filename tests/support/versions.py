"""Versions: a newer one than ours, as a copy of our code with further migrations."""

import shutil
from pathlib import Path

from db.migrations import upgrade
from tests.support.processes import ROOT

_PACKAGES = ("marginalia", "schema", "resolvers", "engine", "services", "db")

_ADDS = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {before!r}
branch_labels = None
depends_on = None
compatible_from = {compatible_from!r}


def upgrade():
    op.create_table("labels_{revision}", sa.Column("id", sa.Text(), primary_key=True))
    for table in ("chat_sessions", "messages"):
        op.add_column(table, sa.Column("colour_{revision}", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("weight_{revision}", sa.Integer(), server_default=sa.text("1"), nullable=False))
        op.create_index(f"{{table}}_colour_{revision}_idx", table, ["workspace_id", "colour_{revision}"])
"""


def newer(folder: Path, *compatible_from: str | None) -> Path:
    """Make a version with a migration for each of these schemas, from which on code can serve what it makes.

    The migrations are 9001, 9002 and so on; None stands for the schema of ours. Each adds to the tables that a post
    writes to. Returns the folder to run it from.
    """
    for package in _PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "static")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    (folder / "marginalia/static").symlink_to(ROOT / "marginalia/static")
    before = ours = upgrade.needed()
    for number, compatible in enumerate(compatible_from, start=9001):
        text = _ADDS.format(revision=str(number), before=before, compatible_from=compatible or ours)
        (folder / f"db/migrations/versions/{number}_adds.py").write_text(
            f'"""Adds to what a post writes to."""\n{text}'
        )
        before = str(number)
    return folder
