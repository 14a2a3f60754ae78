"""Anchors: the placement of a section in a document, and the chat anchored to the section.

`find` is the hot path of `ensureSectionChat`.
"""

import json
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    Select,
    Text,
    and_,
    bindparam,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql import FromClause

from db.connection.database import Database
from db.ids import is_findable
from db.models import ChatSession, Document, Placement, Section
from db.reading import visibility
from db.reading.coalescing import CoalescingLoader
from db.reading.lookup_chain import LookupChain
from db.reading.rows import Part, Selection, part, selected_of
from db.reading.sql_arrays import TextArray
from db.reading.statements import KEPT_STATEMENTS, statement
from db.reading.visibility import Reach, Viewer


class AnchorKey(NamedTuple):
    """The section and the document that a caller named, and who asks."""

    workspace_id: str
    user_id: str
    """Empty if it decides nothing."""
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
    knows_through: bool = True
    """Whether that document was read. Otherwise the caller reads it by its id, to learn whether it may see it."""


class SectionChat(NamedTuple):
    """A section placed in a document: the chat it points to, and the chat it has."""

    section_id: str
    pointer: str | None
    chat_id: str | None


async def find(
    database: Database, viewer: Viewer, keys: Iterable[AnchorKey], selected: Selection | None = None
) -> Mapping[AnchorKey, Anchor]:
    """Read many anchors in one statement. The result has an entry for every key. Raises `DatabaseUnavailable`.

    The viewer has the reach of all who ask, and the documents named by all of them.
    """
    keys = list(keys)
    shape = (selected_of(_KINDS, selected), viewer.shape)
    reading = statement(_ANCHORS, shape, database.dialect_of_reads)
    given = {"documents": viewer.documents, **_parameters(database.dialect, keys)}
    rows = await reading.rows(database, given)
    return {keys[number - 1]: _anchor(*found) for *found, number in rows}


class AnchorLoader:
    """Reads anchors, coalesced across operations: those that select alike and reach alike share their statements."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loaders: OrderedDict[Hashable, CoalescingLoader[AnchorKey, Anchor]] = OrderedDict()

    async def load(
        self, viewer: Viewer, document_id: str, section_id: str, selected: Selection | None = None
    ) -> Anchor:
        """Read an anchor. Raises `DatabaseUnavailable`, at the deadline at the latest."""
        chosen = selected_of(_KINDS, selected)
        shape = (chosen, viewer.shape, tuple(viewer.documents))
        loader = self._loaders.get(shape)
        if loader is None:
            # Of the viewer, only what all callers of this loader share.
            shared = Viewer(viewer.shape, "", "", viewer.documents)
            loader = CoalescingLoader(lambda keys: find(self._database, shared, keys, chosen))
            self._loaders[shape] = loader
            if len(self._loaders) > KEPT_STATEMENTS:
                self._loaders.popitem(last=False)  # its callers keep a reference until they have their answers
        return await loader.load(AnchorKey(str(viewer.workspace), viewer.user, document_id, section_id))


async def in_document(session: AsyncSession, viewer: Viewer, document_id: str) -> Sequence[SectionChat] | None:
    """Read the sections placed in a document, in reading order. None: the viewer may not read the document."""
    workspace_id = viewer.workspace
    standing = (
        select(Placement.document_id, Placement.position, Section.id, Section.chat_session_id)
        .join(Section, visibility.placed_section())
        .where(
            Placement.workspace_id == workspace_id,
            Placement.document_id == document_id,
            visibility.live_section(workspace_id),
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
        .where(visibility.readable_document(viewer), Document.id == document_id)
        .order_by(standing.c.position, standing.c.id)
    )
    found = rows.all()
    return [SectionChat(*row) for row in found if row[0] is not None] if found else None


class _Anchors:
    """The statement of the hot path, for what operations select."""

    def build(
        self, dialect: str, shape: tuple[Selection | None, visibility.Shape]
    ) -> tuple[Select[Any], Sequence[Part]]:
        """Build the statement: a lookup of each row of an anchor, for each key asked."""
        selected, of_viewer = shape
        asked = _asked(dialect)
        viewer = Viewer(of_viewer, asked.c.workspace_id, asked.c.user_id, visibility.named_documents())
        parts = [part(kind, selected, _NEEDED.get(kind, ())) for kind in _KINDS]
        chain = LookupChain(dialect, asked)
        document = chain.add(
            parts[0], Document, visibility.readable_document(viewer), Document.id == asked.c.document_id
        )
        placement = chain.add(
            parts[1],
            Placement,
            Placement.workspace_id == asked.c.workspace_id,
            Placement.document_id == document("id"),
            Placement.section_id == asked.c.section_id,
        )
        reads_all = of_viewer.reach is Reach.ALL
        # Others read a section through the document, where most sections stand; elsewhere it takes another statement.
        named = asked.c.section_id if reads_all else placement("section_id")
        section = chain.add(parts[2], Section, visibility.live_section(asked.c.workspace_id), Section.id == named)
        chat = chain.add(
            parts[3],
            ChatSession,
            ChatSession.workspace_id == asked.c.workspace_id,
            ChatSession.section_id == section("id"),
        )
        if reads_all:
            opened_through: Any = Document.__table__.alias("opened_through")
            through: Any = aliased(Document, opened_through)
            parts.append(part(Document, selected)._replace(label="opened_through"))
            chain.add(
                parts[4],
                through,
                visibility.live_document(asked.c.workspace_id, through),
                through.id == chat("document_id"),
                through.id != asked.c.document_id,  # usually the same document, which is not read twice
            )
        return select(*chain.columns, asked.c.number).select_from(chain.joined), parts


_ANCHORS = _Anchors()

_KINDS = (Document, Placement, Section, ChatSession)
"""The models of an anchor, in the order in which they are looked up."""

_NEEDED: Selection = {Section: frozenset({"chat_session_id"})}
"""What the callers of `find` read of every anchor, besides keys."""

_UNREAD = object()


def _anchor(
    document: Document | None,
    placement: Placement | None,
    section: Section | None,
    chat: ChatSession | None,
    through: Any = _UNREAD,
) -> Anchor:
    if document is not None and chat is not None and chat.document_id == document.id:
        through = document
    return Anchor(
        document,
        section,
        placement,
        chat,
        None if through is _UNREAD else through,
        knows_through=through is not _UNREAD,
    )


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
