"""Chats: opening them, once for each section, and repairing the pointers of sections to them.

`write_chats` is the cold path of `ensureSectionChat`, for one section or for many.
"""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from sqlalchemy import Executable, Select, Table, Text, bindparam, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import aliased
from sqlalchemy.sql import FromClause

from db.locks import Transaction
from db.models import CHAT_OF_SECTION_KEY, ChatSession, Document, Placement, Section
from db.reading import visibility
from db.reading.sql_arrays import TextArray, any_of


@dataclass(frozen=True)
class ChatWrites:
    """The chats that `write_chats` opened, and the sections whose pointers it repaired."""

    created: Sequence[ChatSession]
    repaired: AbstractSet[str]


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
            visibility.live_section(workspace_id),
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
            visibility.live_section(workspace),
            visibility.live_document(Section.workspace_id),
            Document.id == bindparam("document", type_=Text()),
        )
    )


_ASKED = ("section_id", "chat_id")
"""The columns of a request: a section, and the id of its new chat."""

_OPENED = ["workspace_id", "section_id", "document_id", "id", "created_by"]
"""The columns that the insert of a chat sets."""
