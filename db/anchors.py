"""Anchors: where a section stands in a document, and the chat that hangs there.

The reading statement is the hot path of `ensureSectionChat`; the two ways to open a chat are its cold path,
taken once in the life of a section.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, and_, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql import FromClause

from db import visible
from db.batches import Texts
from db.ids import is_findable
from db.models import CHAT_OF_SECTION_KEY, ChatSession, Document, Placement, Section, attributes


class AnchorKey(NamedTuple):
    """A section of a document, as it was asked for."""

    workspace_id: str
    document_id: str
    section_id: str


@dataclass(frozen=True)
class Anchor:
    """What is there of a section in a document; what is missing, or in the trash, is None."""

    document: Document | None = None
    section: Section | None = None
    placement: Placement | None = None
    chat: ChatSession | None = None
    opened_through: Document | None = None
    """The document through which the chat was opened, which need not be the one that was asked for."""


async def find(session: AsyncSession, keys: Iterable[AnchorKey]) -> Mapping[AnchorKey, Anchor]:
    """Read many anchors in one statement; every key has its entry in the answer."""
    keys = list(keys)
    dialect = session.get_bind().dialect.name
    rows = await session.execute(_anchors(dialect), _parameters(dialect, keys))
    return {keys[row[0] - 1]: _anchor(*_parts(row)) for row in rows}


async def open_chat(session: AsyncSession, key: AnchorKey, chat_id: str, created_by: str) -> ChatSession | None:
    """Open the chat of a section and point the section to it, in the transaction of the session.

    None: the section has a chat by now, or does not stand there any more. Look again, in a new statement.
    """
    if session.get_bind().dialect.name == "postgresql":
        return await _open_in_one_statement(session, key, chat_id, created_by)
    return await _open_under_write_lock(session, key, chat_id, created_by)


async def point_to_chat(session: AsyncSession, chat: ChatSession) -> bool:
    """Set the pointer of a section to its chat. False: it was right already, or the section is gone."""
    changed = await session.execute(
        update(Section)
        .where(
            Section.workspace_id == chat.workspace_id,
            Section.id == chat.section_id,
            Section.deleted_at.is_(None),
            Section.chat_session_id.is_distinct_from(chat.id),
        )
        .values(chat_session_id=chat.id)
        .returning(Section.id)
        .execution_options(synchronize_session=False)
    )
    return changed.first() is not None


async def _open_in_one_statement(
    session: AsyncSession, key: AnchorKey, chat_id: str, created_by: str
) -> ChatSession | None:
    # FOR KEY SHARE holds off whoever removes one of the three rows, but nobody who edits them.
    anchor = (
        select(Section.workspace_id, Section.id.label("section_id"), Document.id.label("document_id"))
        .select_from(Document)
        .join(Placement, visible.placed_in_document())
        .join(Section, visible.placed_section())
        .where(
            Document.workspace_id == key.workspace_id,
            Document.id == key.document_id,
            Document.deleted_at.is_(None),
            Section.id == key.section_id,
            Section.deleted_at.is_(None),
        )
        .with_for_update(read=True, key_share=True, of=[Document, Placement, Section])
        .cte("anchor")
        .prefix_with("MATERIALIZED")
    )
    # Only our own constraint: any other violation is a fault and must not pass for "there is one".
    opened = (
        postgresql.insert(ChatSession)
        .from_select(
            ["workspace_id", "section_id", "document_id", "id", "created_by"],
            select(
                anchor.c.workspace_id,
                anchor.c.section_id,
                anchor.c.document_id,
                literal(chat_id),
                literal(created_by),
            ),
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
    return await session.scalar(select(aliased(ChatSession, opened)).add_cte(pointed))


async def _open_under_write_lock(
    session: AsyncSession, key: AnchorKey, chat_id: str, created_by: str
) -> ChatSession | None:
    # The transaction holds the one write lock of the file, so what is read here stays true until it commits.
    anchor = (await find(session, [key]))[key]
    if anchor.placement is None or anchor.chat is not None:
        return None
    opened = await session.scalar(
        insert(ChatSession)
        .values(
            workspace_id=key.workspace_id,
            id=chat_id,
            section_id=key.section_id,
            document_id=key.document_id,
            created_by=created_by,
        )
        .returning(ChatSession)
    )
    if opened is not None:
        await point_to_chat(session, opened)
    return opened


@cache
def _anchors(dialect: str) -> Select[Any]:
    asked = _asked(dialect)
    # Of tables, not of models: the rows are put together in `_parts`.
    return (
        select(asked.c.number, *(column for _, table, _ in _PARTS for column in table.c))
        .select_from(asked)
        .outerjoin(
            Document.__table__,
            and_(
                Document.workspace_id == asked.c.workspace_id,
                Document.id == asked.c.document_id,
                Document.deleted_at.is_(None),
            ),
        )
        .outerjoin(
            Section.__table__,
            and_(
                Section.workspace_id == asked.c.workspace_id,
                Section.id == asked.c.section_id,
                Section.deleted_at.is_(None),
            ),
        )
        .outerjoin(Placement.__table__, and_(visible.placed_in_document(), visible.placed_section()))
        .outerjoin(ChatSession.__table__, visible.chat_of_section())
        .outerjoin(
            _OPENED_THROUGH,
            and_(
                _OPENED_THROUGH.c.workspace_id == ChatSession.workspace_id,
                _OPENED_THROUGH.c.id == ChatSession.document_id,
                _OPENED_THROUGH.c.id != asked.c.document_id,  # mostly it is that one, and need not be read twice
                _OPENED_THROUGH.c.deleted_at.is_(None),
            ),
        )
    )


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


def _parts(row: Sequence[Any]) -> Iterator[Any]:
    # Put together as the ORM would, which takes twice as long: this is most of what a hot ensure costs in the database.
    values = iter(row[1:])
    for kind, _, names in _PARTS:
        part = dict(zip(names, values))  # noqa: B905 - each takes its share of the values
        yield kind.as_loaded(part) if part["workspace_id"] is not None else None


_OPENED_THROUGH = Document.__table__.alias("opened_through")

_PARTS = [
    (kind, table, attributes(kind))
    for kind, table in (
        (Document, Document.__table__),
        (Section, Section.__table__),
        (Placement, Placement.__table__),
        (ChatSession, ChatSession.__table__),
        (Document, _OPENED_THROUGH),
    )
]
"""What an anchor is made of, in its order: the model, where it is read from, and the names of its attributes."""


def _asked(dialect: str) -> FromClause:
    # The parameters are the same whatever the number of keys, so the statement has one text and one plan.
    names = AnchorKey._fields
    if dialect == "postgresql":
        arrays = [bindparam(name, type_=Texts()) for name in names]
        return func.unnest(*arrays).table_valued(*names, with_ordinality="number").render_derived(name="asked")
    each = func.json_each(bindparam("keys", type_=Text)).table_valued("key", "value", name="each")
    return select(
        (each.c.key + 1).label("number"),
        *(func.json_extract(each.c.value, f"$[{n}]").label(name) for n, name in enumerate(names)),
    ).subquery("asked")


def _parameters(dialect: str, keys: list[AnchorKey]) -> dict[str, Any]:
    # An id that no row can have is asked for as the empty one, which none has.
    keys = [AnchorKey(*(part if is_findable(part) else "" for part in key)) for key in keys]
    if dialect == "postgresql":
        return dict(zip(AnchorKey._fields, map(list, zip(*keys, strict=True)), strict=True))
    return {"keys": json.dumps(keys)}
