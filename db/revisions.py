"""Revisions: a change keeps the state that it replaces; lists of earlier states, single ones, and those at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    func,
    insert,
    select,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from db.locks import Transaction
from db.models import (
    Document,
    DocumentRevision,
    FormerPlacement,
    Placement,
    Section,
    SectionRevision,
    Trashable,
    attributes,
)
from db.reading import visibility
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.reading.sql_arrays import any_of
from db.reading.visibility import Viewer
from db.times import utcnow


class Change(NamedTuple):
    """Who changes a document or a section, why, and whether a machine wrote what it becomes."""

    author: str
    summary: str | None = None
    is_generated: bool = False


class _History(NamedTuple):
    kind: type[Any]
    revision: Any
    owner: Any
    """The column of the revision that names the row."""

    @property
    def columns(self) -> list[str]:
        """The attributes of a revision, but for the time at which it is replaced."""
        return [name for name in attributes(self.revision) if name != "updated_at"]

    def current(self) -> Select[Any]:
        """Select the current states of rows as their revisions will be."""
        kind = self.kind
        others = {
            self.owner.key: kind.id,
            "edited_by": func.coalesce(kind.edited_by, kind.created_by),
            "created_at": kind.updated_at,
        }
        columns: list[Any] = [others.get(name, getattr(kind, name, None)) for name in self.columns]
        return select(*(column.label(name) for column, name in zip(columns, self.columns, strict=True)))


_HISTORIES: Mapping[type[Any], _History] = {
    Section: _History(Section, SectionRevision, SectionRevision.section_id),
    Document: _History(Document, DocumentRevision, DocumentRevision.document_id),
}


def _listing(history: _History) -> Listing[Any]:
    order = Order(f"{history.revision.__name__}s", (history.revision.version,), newest_first=True)
    return Listing(
        order,
        [history.revision],
        # Who may see the history of a row was asked before.
        lambda _dialect, _selected, viewer: Origin(
            select(history.revision).where(history.revision.workspace_id == viewer.workspace),
            {history.revision: history.revision},
        ),
        lambda revision, place: Edge(revision, order, place),
        history.owner,
    )


REVISIONS: Mapping[type[Any], Listing[Any]] = {kind: _listing(history) for kind, history in _HISTORIES.items()}
"""The earlier states of sections and of documents, the latest first."""


async def change(transaction: Transaction, row: Trashable, by: Change, **changes: Any) -> Trashable:
    """Keep the state of a locked row as a revision, make its next version, and return the row as stored."""
    kind = type(row)
    this = (kind.workspace_id == transaction.workspace_id, kind.id == row.id)
    await keep(transaction, kind, *this)
    changed = await transaction.session.execute(
        update(kind)
        .where(*this)
        .values(
            version=kind.version + 1,
            edited_by=by.author,
            change_summary=by.summary,
            is_generated=by.is_generated,
            updated_at=utcnow(),
            **changes,
        )
        .returning(kind)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return changed.scalar_one()


async def keep(transaction: Transaction, kind: type[Trashable], *which: ColumnElement[bool]) -> None:
    """Keep the states of locked rows as revisions."""
    history = _HISTORIES[kind]
    columns = [getattr(history.revision, name).property.columns[0] for name in history.columns]
    await transaction.session.execute(insert(history.revision).from_select(columns, history.current().where(*which)))


async def of_versions(
    session: AsyncSession, workspace_id: str, kind: type[Trashable], keys: Sequence[tuple[str, int]]
) -> Mapping[tuple[str, int], Any]:
    """Read revisions by the ids of their rows and their versions, also those of the current versions."""
    history = _HISTORIES[kind]
    ids = {row_id for row_id, _ in keys}
    found: dict[tuple[str, int], Any] = {}
    earlier = select(history.revision).where(
        history.revision.workspace_id == workspace_id,
        any_of(history.owner, ids),
        tuple_(history.owner, history.revision.version).in_(keys),
    )
    for revision in await session.scalars(earlier):
        found[getattr(revision, history.owner.key), revision.version] = revision
    if missing := set(keys) - found.keys():
        of_rows: Any = history.kind
        ids = {row_id for row_id, _ in missing}
        current = history.current().where(of_rows.workspace_id == workspace_id, any_of(of_rows.id, ids))
        for row in (await session.execute(current)).mappings():
            found[row[history.owner.key], row["version"]] = history.revision(**row)
    return found


async def of_version(transaction: Transaction, kind: type[Trashable], row_id: str, version: int) -> Any:
    """Read the state of a row at a version, also the present one. None: it has no such version."""
    found = await of_versions(transaction.session, transaction.workspace_id, kind, [(row_id, version)])
    return found.get((row_id, version))


async def count_held(transaction: Transaction, revision: DocumentRevision) -> int:
    """Count the sections that a document held at a version, purged ones left out."""
    held = _held(transaction.workspace_id, revision).subquery("held")
    return await transaction.session.scalar(select(func.count()).select_from(held)) or 0


async def count(
    session: AsyncSession, workspace_id: str, kind: type[Trashable], row_ids: Sequence[str]
) -> Mapping[str, int]:
    """Count, for each row, its revisions."""
    history = _HISTORIES[kind]
    counting = (
        select(history.owner, func.count())
        .where(history.revision.workspace_id == workspace_id, any_of(history.owner, row_ids))
        .group_by(history.owner)
    )
    return dict((await session.execute(counting)).all())


async def order_at(session: AsyncSession, viewer: Viewer, revision: DocumentRevision) -> Sequence[tuple[str, str]]:
    """Read the positions and the ids of the sections that a document held at a version, in reading order.

    Sections that the viewer may not read now are left out, and so are those that are trashed or purged.
    """
    held = _held(viewer.workspace, revision).subquery("held")
    rows = await session.execute(
        select(held.c.position, held.c.section_id)
        .join(Section, Section.id == held.c.section_id)
        .where(visibility.readable_section(viewer))
        .order_by(held.c.position, held.c.section_id)
    )
    return [(position, section_id) for position, section_id in rows]


async def states_at(
    session: AsyncSession, workspace_id: str, keys: Sequence[tuple[str, datetime | None]]
) -> Mapping[tuple[str, datetime | None], SectionRevision]:
    """Read the states that sections had at times; None: the present one."""
    found: dict[tuple[str, datetime | None], SectionRevision] = {}
    history = _HISTORIES[Section]
    for at in {at for _, at in keys}:
        ids = {section_id for section_id, when in keys if when == at}
        if at is not None:
            replaced_later = (SectionRevision.workspace_id == workspace_id, SectionRevision.updated_at > at)
            first = (
                select(SectionRevision.section_id, func.min(SectionRevision.version).label("version"))
                .where(*replaced_later, any_of(SectionRevision.section_id, ids))
                .group_by(SectionRevision.section_id)
                .subquery("first")
            )
            earlier = select(SectionRevision).join(
                first,
                and_(SectionRevision.section_id == first.c.section_id, SectionRevision.version == first.c.version),
            )
            for state in await session.scalars(earlier.where(SectionRevision.workspace_id == workspace_id)):
                found[state.section_id, at] = state
            ids -= {section_id for section_id, when in found if when == at}
        present = history.current().where(Section.workspace_id == workspace_id, any_of(Section.id, ids))
        for row in (await session.execute(present)).mappings():
            found[row["section_id"], at] = SectionRevision(**row)
    return found


def _held(workspace: Any, revision: DocumentRevision) -> CompoundSelect[Any]:
    """Select the positions and the ids of the sections that a document held at a version."""
    parts = []
    for kind, ended in ((Placement, true()), (FormerPlacement, FormerPlacement.until_version > revision.version)):
        placed: Any = kind
        of_document = (placed.workspace_id == workspace, placed.document_id == revision.document_id)
        was_there = (placed.since_version <= revision.version, ended)
        parts.append(select(placed.position, placed.section_id).where(*of_document, *was_there))
    return union_all(*parts)
