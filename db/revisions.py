"""Revisions: a change keeps the state that it replaces; lists of earlier states, and single ones."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.locks import Transaction
from db.models import Document, DocumentRevision, Section, SectionRevision, Trashable, attributes
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.reading.sql_arrays import any_of
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
    history = _HISTORIES[kind]
    columns = [getattr(history.revision, name).property.columns[0] for name in history.columns]
    await transaction.session.execute(insert(history.revision).from_select(columns, history.current().where(*this)))
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
