"""Invariants: the rules that every database must satisfy, and the repair of each.

Each invariant is a query for the rows that violate it, with `workspace_id` first. The other text columns are the ids
that a finding is about; the number columns say how bad it is. A query walks along a key of one table, so that it can
run on a stretch at a time. Per row it takes a few index lookups, whatever the size of the row's chat or document.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, cast, exists, func, literal, or_, select, tuple_
from sqlalchemy.orm import aliased

from db import positions, purges
from db.doctor import repairs
from db.doctor.message_numbers import AS_POSTED
from db.models import ChatSession, Document, Message, Placement, Section, Trashable
from db.reading import visibility
from db.reading.walks import Key
from db.times import minutes_ago
from db.trash import PURGING

Query = Select[*tuple[Any, ...]]


class Rule(StrEnum):
    """The rules of a database, by their public names."""

    ONE_CHAT_PER_SECTION = "ONE_CHAT_PER_SECTION"
    NO_DANGLING_REFERENCE = "NO_DANGLING_REFERENCE"
    ONE_WORKSPACE = "ONE_WORKSPACE"
    NO_WRONG_CHAT_POINTER = "NO_WRONG_CHAT_POINTER"
    NO_MISSING_CHAT_POINTER = "NO_MISSING_CHAT_POINTER"
    MESSAGES_NUMBERED = "MESSAGES_NUMBERED"
    POSITIONS_DISTINCT = "POSITIONS_DISTINCT"
    DATABASE_SOUND = "DATABASE_SOUND"


@dataclass(frozen=True)
class Invariant:
    """A part of a rule, as a query for the rows that violate it."""

    rule: Rule
    name: str
    """The condition, in a few words."""
    key: Key
    """The key along which the table is walked in stretches: the workspace, and one or two columns."""
    broken: Query | Callable[[Sequence[ColumnElement[bool]]], Query]
    wrong: str
    """The message template for a row that is found. The placeholders are its columns."""
    remedy: str | None = None
    """The description of the repair. None: a person must decide, because a text could be lost."""
    repair: Callable[..., Awaitable[repairs.Cursor | None]] | None = None
    """The repair, called with a session, the workspace and the columns of `subject`.

    A repair that handles one portion returns the start of the next one, and is called again with it as `after`.
    """
    subject: tuple[str, ...] = ()
    once_per_parent: bool = False
    """Whether one finding covers all rows that share the first key column, because one repair fixes them all."""


_DOCUMENTS: Key = (Document.workspace_id, Document.id)
_SECTIONS: Key = (Section.workspace_id, Section.id)
_PLACEMENTS: Key = (Placement.workspace_id, Placement.document_id, Placement.section_id)
_CHATS: Key = (ChatSession.workspace_id, ChatSession.id)
_MESSAGES: Key = (Message.workspace_id, Message.id)
_NUMBERS: Key = (Message.workspace_id, Message.chat_id, Message.seq)

_Kept, _Older = aliased(ChatSession), aliased(ChatSession)
_Earlier, _OfChat = aliased(Message), aliased(Message)
_Beside = aliased(Placement)

_chat_of_message = and_(ChatSession.workspace_id == Message.workspace_id, ChatSession.id == Message.chat_id)
_opened_through = and_(Document.workspace_id == ChatSession.workspace_id, Document.id == ChatSession.document_id)
_pointed_to = and_(ChatSession.workspace_id == Section.workspace_id, ChatSession.id == Section.chat_session_id)
_is_oldest = ~exists().where(
    _Older.workspace_id == _Kept.workspace_id,
    _Older.section_id == _Kept.section_id,
    tuple_(_Older.created_at, _Older.id) < tuple_(_Kept.created_at, _Kept.id),
)

# Scalar subqueries from here on: each is an index lookup per row of a stretch. For a join, PostgreSQL might begin with
# all rows of the other table.
_its_chat = (
    select(ChatSession.id)
    .where(ChatSession.workspace_id == Section.workspace_id, ChatSession.section_id == Section.id)
    .limit(1)  # without ORDER BY, for which PostgreSQL would walk along an index of all chats
    .scalar_subquery()
)
_earlier_of_client = (
    select(literal(1))
    .where(
        _Earlier.workspace_id == Message.workspace_id,
        _Earlier.chat_id == Message.chat_id,
        _Earlier.author == Message.author,
        _Earlier.client_id == Message.client_id,
        tuple_(*(getattr(_Earlier, column.key) for column in AS_POSTED)) < tuple_(*AS_POSTED),
    )
    .limit(1)
    .scalar_subquery()
)
_in_chat = (_OfChat.workspace_id == ChatSession.workspace_id, _OfChat.chat_id == ChatSession.id)
_last_number = func.coalesce(select(func.max(_OfChat.seq)).where(*_in_chat).scalar_subquery(), 0)
_unnumbered = select(literal(1)).where(*_in_chat, _OfChat.seq.is_(None)).limit(1).scalar_subquery()
_doubled = (
    select(literal(1))
    .where(
        _Beside.workspace_id == Placement.workspace_id,
        _Beside.document_id == Placement.document_id,
        _Beside.position == Placement.position,
    )
    .offset(1)
    .limit(1)
    .scalar_subquery()
)


def _abandoned(kind: type[Trashable]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Select rows that a purge has marked, but not updated recently: no process works on them any more."""
    return kind.deleted_at == PURGING, kind.updated_at < minutes_ago()


def _gaps(within: Sequence[ColumnElement[bool]]) -> Query:
    """Select the messages of a stretch whose number is not the previous number plus one."""
    before = func.lag(Message.seq).over(partition_by=Message.chat_id, order_by=Message.seq).label("before")
    walked = select(Message.workspace_id, Message.chat_id, Message.seq, before).where(*within).subquery("walked")
    # The predecessor of the first message is in the previous stretch.
    outside = (
        select(func.max(_OfChat.seq))
        .where(
            _OfChat.workspace_id == walked.c.workspace_id,
            _OfChat.chat_id == walked.c.chat_id,
            _OfChat.seq < walked.c.seq,
        )
        .scalar_subquery()
    )
    chat = (
        select(literal(1))
        .where(ChatSession.workspace_id == walked.c.workspace_id, ChatSession.id == walked.c.chat_id)
        .limit(1)
        .scalar_subquery()
    )
    follows = cast(func.coalesce(walked.c.before, outside, 0), BigInteger) + 1
    return (
        select(walked.c.workspace_id, walked.c.chat_id, walked.c.seq)
        .where(or_(walked.c.seq < 1, walked.c.seq != follows), chat.is_not(None))
        .order_by(walked.c.chat_id, walked.c.seq)
    )


# In this order: later repairs finish what earlier ones leave. After chats are merged, pointers are repaired.
INVARIANTS = (
    Invariant(
        Rule.ONE_CHAT_PER_SECTION,
        "a section has one chat",
        _CHATS,
        select(
            ChatSession.workspace_id,
            ChatSession.section_id.label("section_id"),
            ChatSession.id.label("chat_id"),
            _Kept.id.label("kept_id"),
        )
        .join(
            _Kept,
            and_(
                _Kept.workspace_id == ChatSession.workspace_id,
                _Kept.section_id == ChatSession.section_id,
                _Kept.id != ChatSession.id,
            ),
        )
        .where(_is_oldest),
        "Section {section_id} has the chat {chat_id} beside an older one, {kept_id}",
        "move the messages to the older chat, as they were posted, and delete the newer one",
        repairs.merge_chats,
        ("section_id",),
    ),
    Invariant(
        Rule.NO_DANGLING_REFERENCE,
        "a chat without messages has its section",
        _CHATS,
        select(ChatSession.workspace_id, ChatSession.id.label("chat_id"), ChatSession.section_id.label("section_id"))
        .outerjoin(Section, visibility.chat_of_section())
        .where(Section.id.is_(None), ~exists().where(_chat_of_message)),
        "Chat {chat_id}, which has no messages, belongs to section {section_id}, which is gone",
        "delete the chat",
        repairs.delete_empty_chat,
        ("chat_id",),
    ),
    Invariant(
        Rule.NO_DANGLING_REFERENCE,
        "a chat with messages has its section",
        _CHATS,
        select(ChatSession.workspace_id, ChatSession.id.label("chat_id"), ChatSession.section_id.label("section_id"))
        .outerjoin(Section, visibility.chat_of_section())
        .where(Section.id.is_(None), exists().where(_chat_of_message)),
        "Chat {chat_id}, which has messages, belongs to section {section_id}, which is gone",
    ),
    Invariant(
        Rule.NO_DANGLING_REFERENCE,
        "a placement has its document and its section",
        _PLACEMENTS,
        select(Placement.workspace_id, Placement.document_id, Placement.section_id)
        .outerjoin(Document, visibility.placed_in_document())
        .outerjoin(Section, visibility.placed_section())
        .where(or_(Document.id.is_(None), Section.id.is_(None))),
        "Section {section_id} is placed in document {document_id}, and one of the two is gone",
        "delete the placement",
        repairs.delete_placement,
        ("document_id", "section_id"),
    ),
    Invariant(
        Rule.NO_DANGLING_REFERENCE,
        "a message has its chat",
        _MESSAGES,
        select(Message.workspace_id, Message.id.label("message_id"), Message.chat_id)
        .outerjoin(ChatSession, _chat_of_message)
        .where(ChatSession.id.is_(None)),
        "Message {message_id} belongs to chat {chat_id}, which is gone",
    ),
    Invariant(
        Rule.NO_DANGLING_REFERENCE,
        "a document whose purge was begun is gone",
        _DOCUMENTS,
        select(Document.workspace_id, Document.id.label("document_id")).where(*_abandoned(Document)),
        "The purge of document {document_id} was begun but not finished",
        "finish the purge",
        purges.continue_document_purge,
        ("document_id",),
    ),
    Invariant(
        Rule.NO_DANGLING_REFERENCE,
        "a section whose purge was begun is gone",
        _SECTIONS,
        select(Section.workspace_id, Section.id.label("section_id")).where(*_abandoned(Section)),
        "The purge of section {section_id} was begun but not finished",
        "finish the purge",
        purges.continue_section_purge,
        ("section_id",),
    ),
    # The rest of ONE_WORKSPACE follows from NO_DANGLING_REFERENCE, which looks in the row's own workspace only.
    Invariant(
        Rule.ONE_WORKSPACE,
        "a chat was opened through a document of its workspace",
        _CHATS,
        select(ChatSession.workspace_id, ChatSession.id.label("chat_id"), ChatSession.document_id)
        .outerjoin(Document, _opened_through)
        .where(ChatSession.document_id.is_not(None), Document.id.is_(None)),
        "Chat {chat_id} was opened through document {document_id}, which is not in its workspace",
        "clear the reference to the document",
        repairs.forget_document,
        ("chat_id",),
    ),
    Invariant(
        Rule.NO_WRONG_CHAT_POINTER,
        "a pointer names the chat of its section",
        _SECTIONS,
        select(Section.workspace_id, Section.id.label("section_id"), Section.chat_session_id.label("chat_id"))
        .outerjoin(ChatSession, _pointed_to)
        .where(
            Section.chat_session_id.is_not(None),
            or_(ChatSession.id.is_(None), ChatSession.section_id != Section.id),
        ),
        "Section {section_id} points to {chat_id}, which is not its chat",
        "point it to its chat, or to none if it has none",
        repairs.point_section,
        ("section_id",),
    ),
    Invariant(
        Rule.NO_MISSING_CHAT_POINTER,
        "a section with a chat points to one",
        _SECTIONS,
        select(Section.workspace_id, Section.id.label("section_id"), _its_chat.label("chat_id")).where(
            Section.chat_session_id.is_(None), _its_chat.is_not(None)
        ),
        "Section {section_id} has the chat {chat_id} and points to none",
        "point it to its chat",
        repairs.point_section,
        ("section_id",),
    ),
    Invariant(
        Rule.MESSAGES_NUMBERED,
        "the messages of a chat are numbered 1, 2, 3 without a gap",
        _NUMBERS,
        _gaps,
        "The messages of chat {chat_id} are not numbered without a gap: {seq} does not follow the number before it",
        "number them 1, 2, 3 in their order",
        repairs.number_messages,
        ("chat_id", "seq"),
        once_per_parent=True,
    ),
    Invariant(
        Rule.MESSAGES_NUMBERED,
        "the last number of a chat is that of its last message",
        _CHATS,
        select(
            ChatSession.workspace_id,
            ChatSession.id.label("chat_id"),
            ChatSession.last_seq.label("last"),
            _last_number.label("posted"),
        ).where(or_(_last_number != ChatSession.last_seq, _unnumbered.is_not(None))),
        "The last number of chat {chat_id} is {last}, but that of its last message is {posted}",
        "set it to the number of the last message",
        repairs.number_last,
        ("chat_id", "posted"),
    ),
    Invariant(
        Rule.MESSAGES_NUMBERED,
        "an author's client id names one message of a chat",
        _MESSAGES,
        select(Message.workspace_id, Message.id.label("message_id"), Message.chat_id).where(
            Message.client_id.is_not(None), _earlier_of_client.is_not(None)
        ),
        "Message {message_id} of chat {chat_id} has the client id of an earlier one of its author",
        "remove its client id",
        repairs.drop_client_id,
        ("chat_id", "message_id"),
    ),
    Invariant(
        Rule.POSITIONS_DISTINCT,
        "the positions in a document are distinct fractional keys",
        _PLACEMENTS,
        select(Placement.workspace_id, Placement.document_id, Placement.section_id).where(
            or_(~positions.well_formed(Placement.position), _doubled.is_not(None))
        ),
        "Positions in document {document_id} are not distinct or not well formed, such as that of section {section_id}",
        "assign new positions in the present order",
        repairs.set_positions,
        ("document_id",),
        once_per_parent=True,
    ),
)
"""The invariants of rows, in the order of their repair. DATABASE_SOUND is the engine's own check."""
