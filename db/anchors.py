"""Anchors: the placement of a section in a document, and the chat anchored to the section.

`find` is the hot path of `ensureSectionChat`. `write_chats` is its cold path: it opens a section's chat once, for one
section or for many.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    Executable,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    inspect,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql import FromClause

from db.connection.database import Database
from db.ids import is_findable
from db.locks import Transaction
from db.models import CHAT_OF_SECTION_KEY, ChatSession, Document, Placement, Section
from db.reading import visibility
from db.reading.coalescing import CoalescingLoader
from db.reading.rows import Part, Selection, part, selected_of
from db.reading.sql_arrays import TextArray, any_of, planned_apart
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


@dataclass(frozen=True)
class ChatWrites:
    """The chats that `write_chats` opened, and the sections whose pointers it repaired."""

    created: Sequence[ChatSession]
    repaired: AbstractSet[str]


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
                self._loaders.popitem(last=False)  # whoever waits for it holds it
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


async def write_chats(
    transaction: Transaction,
    document_id: str,
    *,
    chat_ids: Mapping[str, str],
    wrong: Sequence[str],
    created_by: str,
) -> ChatWrites:
    """Open chats for sections of a document that have none, and repair wrong pointers.

    `chat_ids` maps each section without a chat to the id of its new chat. `wrong` lists sections that have a chat but
    do not point to it. A section that the result omits was written by another transaction, or has left the document:
    the caller reads again, in a new statement.
    """
    # No parameter has the name of a column: SQLAlchemy would set that column in every row it writes.
    session, workspace_id = transaction.session, transaction.workspace_id
    asked: dict[str, Any] = {"workspace": workspace_id, "document": document_id, "by": created_by}
    in_one = session.get_bind().dialect.name == "postgresql"
    if in_one:
        opening: Executable = _open_in_one_statement()
        # Includes the sections that only need a pointer and get no chat, so that all are locked at once, in one order.
        asked |= {"section_ids": [*chat_ids, *wrong], "chat_ids": [*chat_ids.values(), *(None for _ in wrong)]}
    else:
        opening = _open_under_write_lock()
        asked |= {"pairs": json.dumps(list(chat_ids.items()))}
    transaction.reach(Document)
    opened = (await session.scalars(opening, asked)).all() if chat_ids else []
    # PostgreSQL has already set the pointers to the chats it opened.
    pointing = [*wrong, *(() if in_one else (chat.section_id for chat in opened))]
    pointed = await _point(transaction, pointing) if pointing else set[str]()
    return ChatWrites(opened, pointed & set(wrong))


async def _point(transaction: Transaction, section_ids: Sequence[str]) -> AbstractSet[str]:
    """Point sections to their chats, and return those that changed. Sections without a chat are skipped."""
    transaction.reach(Section)
    workspace_id = transaction.workspace_id
    wrong = (
        select(Section.id.label("section_id"), ChatSession.id.label("chat_id"))
        .join(ChatSession, visibility.chat_of_section())
        .where(
            visibility.readable_section(workspace_id),
            any_of(Section.id, section_ids),
            Section.chat_session_id.is_distinct_from(ChatSession.id),
        )
        # One order for all callers: two that set the same pointers cannot deadlock.
        .order_by(Section.id)
        .with_for_update(of=Section, key_share=True)
        .cte("wrong")
    )
    changed = await transaction.session.scalars(
        update(Section)
        .where(
            Section.workspace_id == workspace_id,
            Section.id == wrong.c.section_id,
            Section.chat_session_id.is_distinct_from(wrong.c.chat_id),
        )
        .values(chat_session_id=wrong.c.chat_id)
        .returning(Section.id)
        .execution_options(synchronize_session=False)
    )
    return set(changed)


@cache
def _open_in_one_statement() -> Select[Any]:
    pairs = func.unnest(bindparam("section_ids", type_=TextArray()), bindparam("chat_ids", type_=TextArray()))
    asked = pairs.table_valued(*_ASKED).render_derived(name="asked")
    # FOR KEY SHARE blocks a transaction that deletes one of the three rows, but none that edits them.
    anchor = (
        _anchored(asked)
        # One order for all callers that lock many rows: they cannot deadlock.
        .order_by(Section.id)
        .with_for_update(read=True, key_share=True, of=[Document, Placement, Section])
        .cte("anchor")
        .prefix_with("MATERIALIZED")
    )
    # This constraint only: any other violation is a fault and must not read as "the chat exists".
    opened = (
        postgresql.insert(ChatSession)
        .from_select(
            _OPENED,
            select(*anchor.c, bindparam("by", type_=Text()))
            .where(anchor.c.chat_id.is_not(None))
            # The same order here: two callers that open the same chats cannot deadlock.
            .order_by(anchor.c.section_id),
        )
        .on_conflict_do_nothing(constraint=CHAT_OF_SECTION_KEY)
        .returning(ChatSession)
        .cte("opened")
    )
    pointed = (
        update(Section)
        .where(Section.workspace_id == opened.c.workspace_id, Section.id == opened.c.section_id)
        .values(chat_session_id=opened.c.id)
        .cte("pointed")
    )
    return select(aliased(ChatSession, opened)).add_cte(pointed)


@cache
def _open_under_write_lock() -> Executable:
    pairs = func.json_each(bindparam("pairs", type_=Text())).table_valued("key", "value", name="pairs")
    # MATERIALIZED: otherwise SQLite parses the whole list again for every section of the document.
    asked = (
        select(*(func.json_extract(pairs.c.value, f"$[{n}]").label(name) for n, name in enumerate(_ASKED)))
        .cte("asked")
        .prefix_with("MATERIALIZED")
    )
    missing = _anchored(asked).where(~exists().where(visibility.chat_of_section()))
    opening = insert(cast(Table, ChatSession.__table__)).from_select(
        _OPENED, missing.add_columns(bindparam("by", type_=Text()))
    )
    # Columns of the table: given parameters as well, the ORM would treat its own insert as a bulk insert.
    return select(ChatSession).from_statement(opening.returning(*ChatSession.__table__.c))


def _anchored(asked: FromClause) -> Select[Any]:
    """Select the requested sections that are placed in the document, each with the id for its chat."""
    workspace = bindparam("workspace", type_=Text())
    return (
        select(Section.workspace_id, Section.id.label("section_id"), Document.id.label("document_id"), asked.c.chat_id)
        .select_from(asked)
        .join(Section, Section.id == asked.c.section_id)
        .join(Placement, visibility.placed_section())
        .join(Document, visibility.placed_in_document())
        .where(
            visibility.readable_section(workspace),
            visibility.readable_document(Section.workspace_id),
            Document.id == bindparam("document", type_=Text()),
        )
    )


_ASKED = ("section_id", "chat_id")
"""The columns of a request: a section, and the id of its new chat."""

_OPENED = ["workspace_id", "section_id", "document_id", "id", "created_by"]
"""The columns that the insert of a chat sets."""


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
