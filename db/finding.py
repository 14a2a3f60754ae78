"""Finding: documents and sections that match a filter, in one of several orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Select,
    Text,
    case,
    cast,
    exists,
    false,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from db.documents import NEWEST_FIRST
from db.models import Document, Placement, Section, SectionStatus
from db.reading import visibility
from db.reading.listings import Listing, Origin
from db.reading.paging import Edge, Order
from db.reading.rows import Selection
from db.reading.sql_arrays import TextArray
from db.reading.visibility import Viewer
from db.times import EARLIEST, UtcDateTime, clamped


class OrderBy(StrEnum):
    """The orders in which documents and sections are listed."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"


@dataclass(frozen=True)
class Filter:
    """What documents or sections must have in common. None: anything."""

    title_contains: str | None = None
    tags: Sequence[str] | None = None
    updated_since: datetime | None = None
    created_by: str | None = None
    """The id of a user, as stored."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the parameters in the conditions of a listing."""
        return {
            "title_contains": _folded(self.title_contains or ""),
            "tags": list(self.tags or ()),
            "updated_since": clamped(self.updated_since or EARLIEST),
            "created_by": self.created_by,
        }


@dataclass(frozen=True)
class SectionFilter(Filter):
    """What sections must have in common, besides. None: anything."""

    status: SectionStatus | None = None
    has_chat: bool | None = None
    is_placed: bool | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the parameters in the conditions of a listing."""
        return {**super().parameters, "status": self.status, "has_chat": self.has_chat, "is_placed": self.is_placed}


def _matching(dialect: str, kind: type[Document | Section]) -> Sequence[ColumnElement[bool]]:
    """Return the conditions of `Filter`."""
    return (
        _contains(dialect, kind.title),
        _has_tags(dialect, kind.tags),
        kind.updated_at >= BindParameter("updated_since", type_=UtcDateTime()),
        _is_given("created_by", kind.created_by),
    )


def _documents(dialect: str, _selected: Selection | None, viewer: Viewer) -> Origin:
    query = visibility.documents(viewer).where(*_matching(dialect, Document))
    return Origin(query, {Document: Document})


def _sections(dialect: str, _selected: Selection | None, viewer: Viewer) -> Origin:
    of_section = (Placement.workspace_id == Section.workspace_id, Placement.section_id == Section.id)
    query = visibility.sections(viewer).where(
        *_matching(dialect, Section),
        _is_given("status", Section.status),
        _is_so("has_chat", exists().where(visibility.chat_of_section())),
        _is_so("is_placed", exists().where(*of_section)),
    )
    return Origin(query, {Section: Section})


_ORIGINS: Mapping[type[Any], Any] = {Document: _documents, Section: _sections}


def _listing(kind: type[Any], by: OrderBy) -> Listing[Any]:
    order = _order(kind, by)
    return Listing(order, [kind], _ORIGINS[kind], lambda row, key: Edge(row, order, key))


def _order(kind: type[Any], by: OrderBy) -> Order:
    if kind is Document and by is OrderBy.CREATED:
        return NEWEST_FIRST  # as of all documents, so that a cursor is good for both
    column = {OrderBy.CREATED: kind.created_at, OrderBy.UPDATED: kind.updated_at}[by]
    return Order(f"{kind.__name__}s{by}", (column, kind.id), newest_first=True)


FOUND: Mapping[tuple[type[Any], OrderBy], Listing[Any]] = {
    (kind, by): _listing(kind, by) for kind in _ORIGINS for by in OrderBy
}
"""The documents and sections that match the parameters of a filter and that a viewer may read, the latest first."""


async def count(session: AsyncSession, viewer: Viewer, dialect: str, kind: type[Any], wanted: Filter) -> int:
    """Count the documents or sections that match a filter and that a viewer may read."""
    query: Select[Any] = _ORIGINS[kind](dialect, None, viewer).query
    counting = query.with_only_columns(func.count(), maintain_column_froms=True)
    return await session.scalar(counting, wanted.parameters) or 0


def _contains(dialect: str, title: Any) -> ColumnElement[bool]:
    """Select the rows whose title contains the parameter; letters of ASCII match in either case on every engine."""
    wanted: BindParameter[str] = BindParameter("title_contains", type_=Text())
    text = func.coalesce(title, "")
    if dialect == "postgresql":
        return func.strpos(func.lower(text.collate("C")), wanted) > 0
    return func.instr(func.lower(text), wanted) > 0


def _has_tags(dialect: str, tags: Any) -> ColumnElement[bool]:
    """Select the rows that have all tags of the parameter."""
    wanted: BindParameter[Any] = BindParameter("tags", type_=TextArray())
    if dialect == "postgresql":
        return cast(tags, JSONB).op("@>")(func.to_jsonb(wanted))
    each = func.json_each(wanted).table_valued("value", name="wanted")
    # Text that is not JSON would fail the whole page.
    own = func.json_each(case((func.json_valid(tags) == 1, tags), else_="[]")).table_valued("value", name="own")
    return ~exists(select(each.c.value).where(each.c.value.not_in(select(own.c.value))))


def _is_given(name: str, column: Any) -> ColumnElement[bool]:
    wanted: BindParameter[Any] = BindParameter(name, type_=Text())
    return or_(cast(wanted, Text()).is_(None), column == wanted)


def _is_so(name: str, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    wanted = cast(BindParameter(name, type_=Boolean()), Boolean())
    return or_(wanted.is_(None), case((condition, true()), else_=false()) == wanted)


def _folded(text: str) -> str:
    """Return a text in which the letters of ASCII are small."""
    return "".join(each.lower() if each.isascii() else each for each in text)
