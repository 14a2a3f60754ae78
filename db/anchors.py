"""Anchors: the placement of a section in a document, and the chat anchored to the section.

`find` is the hot path of `ensureSectionChat`.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    func,
    inspect,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql import FromClause

from db.connection.database import Database
from db.ids import is_findable
from db.models import ChatSession, Document, Placement, Section
from db.reading import visibility
from db.reading.coalescing import CoalescingLoader
from db.reading.rows import Part, Selection, part, selected_of
from db.reading.sql_arrays import TextArray, planned_apart
from db.reading.statements import KEPT_STATEMENTS, statement


class AnchorKey(NamedTuple):
    """The section and the document that a caller named."""

    workspace_id: str
    document_id: str
    section_id: str


@dataclass(frozen=True)
class Anchor:
    """The rows found for a section in a document. A row that is missing or trashed is None."""

    document: Document | None = None
    section: Section | None = None
    placement: Placement | None = None
    chat: ChatSession | None = None
    opened_through: Document | None = None
    """The document through which the chat was opened. It can differ from the one the caller named."""


class SectionChat(NamedTuple):
    """A section placed in a document: the chat it points to, and the chat it has."""

    section_id: str
    pointer: str | None
    chat_id: str | None


async def find(
    database: Database, keys: Iterable[AnchorKey], selected: Selection | None = None
) -> Mapping[AnchorKey, Anchor]:
    """Read many anchors in one statement. The result has an entry for every key. Raises `DatabaseUnavailable`."""
    keys = list(keys)
    shape = selected_of((Document, Section, Placement, ChatSession), selected)
    reading = statement(_ANCHORS, shape, database.dialect_of_reads)
    rows = await reading.rows(database, _parameters(database.dialect, keys))
    return {keys[number - 1]: _anchor(*entities) for *entities, number in rows}


class AnchorLoader:
    """Reads anchors, coalesced across operations: those that select alike share their statements."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loaders: OrderedDict[Selection | None, CoalescingLoader[AnchorKey, Anchor]] = OrderedDict()

    async def load(self, key: AnchorKey, selected: Selection | None = None) -> Anchor:
        """Read an anchor. Raises `DatabaseUnavailable`, at the deadline at the latest."""
        shape = selected_of((Document, Section, Placement, ChatSession), selected)
        loader = self._loaders.get(shape)
        if loader is None:
            loader = CoalescingLoader(lambda keys: find(self._database, keys, shape))
            self._loaders[shape] = loader
            if len(self._loaders) > KEPT_STATEMENTS:
                self._loaders.popitem(last=False)  # its callers keep a reference until they have their answers
        return await loader.load(key)


async def in_document(session: AsyncSession, workspace_id: str, document_id: str) -> Sequence[SectionChat] | None:
    """Read the sections placed in a document, in reading order. None: the document does not exist."""
    standing = (
        select(Placement.document_id, Placement.position, Section.id, Section.chat_session_id)
        .join(Section, visibility.placed_section())
        .where(
            Placement.workspace_id == workspace_id,
            Placement.document_id == document_id,
            visibility.readable_section(workspace_id),
        )
        .subquery("standing")
    )
    rows = await session.execute(
        select(standing.c.id, standing.c.chat_session_id, ChatSession.id)
        .select_from(Document)
        .outerjoin(standing, standing.c.document_id == Document.id)
        .outerjoin(
            ChatSession,
            and_(ChatSession.workspace_id == workspace_id, ChatSession.section_id == standing.c.id),
        )
        .where(visibility.readable_document(workspace_id), Document.id == document_id)
        .order_by(standing.c.position, standing.c.id)
    )
    found = rows.all()
    return [SectionChat(*row) for row in found if row[0] is not None] if found else None


class _Anchors:
    """The statement of the hot path, for what operations select."""

    def build(self, dialect: str, selected: Selection | None) -> tuple[Select[Any], Sequence[Part]]:
        """Build the statement: a lookup of each row of an anchor, for each key asked."""
        asked = _asked(dialect)
        opened_through: Any = Document.__table__.alias("opened_through")
        parts = [part(kind, selected, _NEEDED.get(kind, ())) for kind in (Document, Section, Placement, ChatSession)]
        parts.append(part(Document, selected)._replace(label="opened_through"))
        columns: list[ColumnElement[Any]] = []
        joined = asked

        def join(read: Part, entity: Any, *on: ColumnElement[bool]) -> Any:
            nonlocal joined
            if dialect != "postgresql":
                joined = joined.outerjoin(entity, and_(*on))
                columns.extend(read.of(entity))
                return lambda name: getattr(entity, name)
            labels = read.of(entity)
            # Looked up key by key: other plans win only with more keys than one call ever sends.
            looked_up = select(*labels).where(*on).correlate_except(entity)
            found = planned_apart(looked_up).lateral(read.label or inspect(entity).local_table.name)
            joined = joined.outerjoin(found, true())
            columns.extend(found.c)
            return lambda name: found.c[f"{read.label or read.kind.__name__}_{name}"]

        through: Any = aliased(Document, opened_through)
        document = join(
            parts[0], Document, visibility.readable_document(asked.c.workspace_id), Document.id == asked.c.document_id
        )
        section = join(
            parts[1], Section, visibility.readable_section(asked.c.workspace_id), Section.id == asked.c.section_id
        )
        join(
            parts[2],
            Placement,
            Placement.workspace_id == asked.c.workspace_id,
            Placement.document_id == document("id"),
            Placement.section_id == section("id"),
        )
        chat = join(
            parts[3],
            ChatSession,
            ChatSession.workspace_id == asked.c.workspace_id,
            ChatSession.section_id == section("id"),
        )
        join(
            parts[4],
            through,
            visibility.readable_document(asked.c.workspace_id, through),
            through.id == chat("document_id"),
            through.id != asked.c.document_id,  # usually the same document, which is not read twice
        )
        return select(*columns, asked.c.number).select_from(joined), parts


_ANCHORS = _Anchors()

_NEEDED: Selection = {Section: frozenset({"chat_session_id"})}
"""What the callers of `find` read of every anchor, besides keys."""


def _anchor(
    document: Document | None,
    section: Section | None,
    placement: Placement | None,
    chat: ChatSession | None,
    opened_through: Document | None,
) -> Anchor:
    if document is not None and chat is not None and chat.document_id == document.id:
        opened_through = document
    return Anchor(document, section, placement, chat, opened_through)


def _asked(dialect: str) -> FromClause:
    # The number of parameters does not depend on the number of keys, so the statement has one text and one plan.
    names = AnchorKey._fields
    if dialect == "postgresql":
        arrays = [bindparam(name, type_=TextArray()) for name in names]
        return func.unnest(*arrays).table_valued(*names, with_ordinality="number").render_derived(name="asked")
    each = func.json_each(bindparam("keys", type_=Text)).table_valued("key", "value", name="each")
    return select(
        (each.c.key + 1).label("number"),
        *(func.json_extract(each.c.value, f"$[{n}]").label(name) for n, name in enumerate(names)),
    ).subquery("asked")


def _parameters(dialect: str, keys: list[AnchorKey]) -> dict[str, Any]:
    # An id that no row can have is replaced by the empty id, which no row has.
    keys = [AnchorKey(*(part if is_findable(part) else "" for part in key)) for key in keys]
    if dialect == "postgresql":
        return dict(zip(AnchorKey._fields, map(list, zip(*keys, strict=True)), strict=True))
    return {"keys": json.dumps(keys)}
