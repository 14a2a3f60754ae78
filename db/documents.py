"""Documents and their sections: reading them, and adding the sections of a new document."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, func, insert, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from db import positions
from db.inserts import values
from db.models import Document, Placement, Section
from db.reading import visibility
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.reading.rows import Selection, part
from db.reading.sql_arrays import any_of, planned_apart
from db.reading.statements import ROWS_AT_ONCE
from db.reading.visibility import Viewer, Workspace

NEWEST_FIRST = Order("documents", (Document.created_at, Document.id), newest_first=True)
BY_DOCUMENT = Order("placements", (Placement.document_id,))
READING_ORDER = Order("sections", (Placement.position, Placement.section_id))


class SectionText(NamedTuple):
    """The text of a section, and the fields that render it."""

    title: str | None
    level: int
    content: str
    link_definitions: Mapping[str, Any] | None


class SectionEdge(Edge[Section]):
    """A section as placed in one document: an edge of `Document.sections`."""

    __slots__ = ("_placement",)

    def __init__(self, node: Section, placement: Placement) -> None:
        self.node = node
        self._placement = placement
        self._order = READING_ORDER
        self._key = (placement.position, placement.section_id)

    @property
    def position(self) -> str:
        """The position in the document."""
        return self._placement.position

    @property
    def is_copy(self) -> bool:
        """Whether the section came into the document as a copy."""
        return self._placement.is_copy


def _in_workspace(_dialect: str, _selected: Selection | None, viewer: Viewer) -> Origin:
    return Origin(visibility.documents(viewer), {Document: Document})


def _of_sections(dialect: str, selected: Selection | None, viewer: Viewer) -> Origin:
    placed: Any = Document
    query = visibility.documents(viewer).join(Placement, visibility.placed_in_document())
    if dialect == "postgresql":
        # Otherwise the planner may begin with all documents of the workspace.
        read = part(Document, selected, also=[column.key for column in NEWEST_FIRST.columns])
        document = planned_apart(visibility.documents(viewer).where(visibility.placed_in_document()))
        columns = [getattr(Document, name).label(name) for name in read.names]
        placed = document.with_only_columns(*columns).correlate(Placement).lateral("placed")
        placements = select(placed).select_from(Placement).join(placed, true())
        query = placements.where(Placement.workspace_id == viewer.workspace)
    return Origin(query, {Document: placed})


def _placements(_dialect: str, _selected: Selection | None, viewer: Viewer) -> Origin:
    query = select(Placement).join(Document, visibility.placed_in_document())
    return Origin(query.where(visibility.readable_document(viewer)), {Placement: Placement})


def _sections(_dialect: str, _selected: Selection | None, viewer: Viewer) -> Origin:
    query = _sections_of_readable_documents(viewer.workspace)
    return Origin(query, {Section: Section, Placement: Placement})


def _edge(document: Document, key: Sequence[Any]) -> Edge[Document]:
    return Edge(document, NEWEST_FIRST, key)


DOCUMENTS = Listing(NEWEST_FIRST, [Document], _in_workspace, _edge)
"""The documents of a workspace, the newest first."""

DOCUMENTS_OF_SECTIONS = Listing(NEWEST_FIRST, [Document], _of_sections, _edge, Placement.section_id)
"""The documents that hold a section, the newest first."""

PLACEMENTS_OF_SECTIONS = Listing(
    BY_DOCUMENT,
    [Placement],
    _placements,
    lambda placement, key: Edge(placement, BY_DOCUMENT, key),
    Placement.section_id,
)
"""The placements of a section, ordered by the ids of their documents."""

SECTIONS = Listing(
    READING_ORDER,
    [Section, Placement],
    _sections,
    lambda section, placement, _key: SectionEdge(section, placement),
    Placement.document_id,
    has_key=False,
)
"""The sections of a document in reading order. Each edge carries the placement."""


async def count(session: AsyncSession, viewer: Viewer) -> int:
    """Count the documents that a viewer may read."""
    return await session.scalar(visibility.documents(viewer).with_only_columns(func.count())) or 0


async def count_of_sections(session: AsyncSession, viewer: Viewer, section_ids: Sequence[str]) -> Mapping[str, int]:
    """Count, for each section, the documents that hold it and that a viewer may read."""
    query = visibility.documents(viewer).join(Placement, visibility.placed_in_document())
    return await _count_by(session, query, Placement.section_id, section_ids)


async def count_sections(session: AsyncSession, workspace_id: str, document_ids: Sequence[str]) -> Mapping[str, int]:
    """Count, for each document, its sections."""
    query = _sections_of_readable_documents(workspace_id)
    return await _count_by(session, query, Placement.document_id, document_ids)


async def texts(
    session: AsyncSession, workspace_id: str, document_ids: Sequence[str]
) -> Mapping[str, Sequence[SectionText]]:
    """Read, for each document, the texts of all its sections, in reading order."""
    rows = await session.execute(
        _sections_of_readable_documents(workspace_id)
        .where(any_of(Placement.document_id, document_ids))
        .order_by(*READING_ORDER.columns)
        # Columns, not ORM rows: a document can have very many sections.
        .with_only_columns(
            Placement.document_id, Section.title, Section.level, Section.content, Section.link_definitions
        )
    )
    found: dict[str, list[SectionText]] = {document_id: [] for document_id in document_ids}
    for fetched in rows.partitions(ROWS_AT_ONCE):
        for document_id, *text in fetched:
            found[document_id].append(SectionText._make(text))
        await asyncio.sleep(0)
    return found


async def add_sections(session: AsyncSession, document: Document, rows: Sequence[Section]) -> None:
    """Insert the sections of a new document, in order."""
    if not rows:
        return
    # Nulls are rendered; otherwise each run of rows with or without a title becomes a separate statement.
    await session.execute(insert(Section), [values(row) for row in rows], execution_options={"render_nulls": True})
    placements = [
        {
            "workspace_id": document.workspace_id,
            "document_id": document.id,
            "section_id": row.id,
            "position": position,
        }
        for row, position in zip(rows, positions.after(None, len(rows)), strict=True)
    ]
    await session.execute(insert(Placement), placements)


def _sections_of_readable_documents(workspace: Workspace) -> Select[Section]:
    """Select the sections of documents that were read already: who may read a document may read its sections."""
    return visibility.sections(Viewer.of_all(workspace)).join(Placement, visibility.placed_section())


async def _count_by(
    session: AsyncSession, query: Select[Any], parent: InstrumentedAttribute[str], parents: Sequence[str]
) -> Mapping[str, int]:
    counting = query.where(any_of(parent, parents)).with_only_columns(parent, func.count()).group_by(parent)
    rows = await session.execute(counting)
    return {key: number for key, number in rows}  # noqa: C416 - a row is a tuple of any length to mypy
