"""Sync: the sections of a document are brought to what an editor has, many in a few statements."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select, update

from db import revisions
from db.locks import Strength, Transaction
from db.models import Section
from db.reading.sql_arrays import any_of
from db.revisions import Change
from db.times import utcnow

FIELDS = ("title", "level", "content", "status", "tags", "details")
"""The fields of a section that an editor has."""


async def lock_sections(transaction: Transaction, section_ids: Sequence[str]) -> Mapping[str, Section]:
    """Lock sections for a change that keeps their keys, trashed or not, and return those that exist, by id."""
    rows = (
        select(Section)
        .where(Section.workspace_id == transaction.workspace_id, any_of(Section.id, section_ids))
        .order_by(Section.id)
        .execution_options(populate_existing=True)
    )
    found = await transaction.lock(Section, rows, Strength.CHANGE)
    return {section.id: section for section in found.scalars()}


async def change(transaction: Transaction, changes: Mapping[str, tuple[Mapping[str, Any], Change]]) -> None:
    """Keep the states of locked sections as revisions, and give them new fields: all of `FIELDS`, by id."""
    if not changes:
        return
    here = Section.workspace_id == transaction.workspace_id
    await revisions.keep(transaction, Section, here, any_of(Section.id, list(changes)))
    connection = await transaction.session.connection()  # the ORM treats an executemany update differently
    await connection.execute(
        update(Section)
        .where(here, Section.id == bindparam("changed"))
        .values(
            {name: bindparam(f"new_{name}") for name in (*FIELDS, "edited_by", "change_summary", "is_generated")}
            | {"version": Section.version + 1, "updated_at": utcnow()}
        ),
        [
            {
                "changed": section_id,
                **{f"new_{name}": fields[name] for name in FIELDS},
                "new_edited_by": by.author,
                "new_change_summary": by.summary,
                "new_is_generated": by.is_generated,
            }
            for section_id, (fields, by) in changes.items()
        ],
    )
