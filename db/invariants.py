"""Invariants: what must hold of every database, whatever happened to it, and what to do where it does not.

Each is a query for the rows that break it, with `workspace_id` first; of the other columns, the texts are the ids that
a finding is about, and the numbers say how bad it is. A query walks along the key of one table, so that it can be asked
for a stretch of it at a time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, and_, exists, func, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db import repairs, visible
from db.models import ChatSession, Document, Message, Placement, Section

Key = tuple[InstrumentedAttribute[str], InstrumentedAttribute[str]]


class Rule(StrEnum):
    """The rules that a database keeps, by the names that they have in our texts."""

    D1 = "D1"
    D2 = "D2"
    D3 = "D3"
    D4 = "D4"
    D5 = "D5"
    D6 = "D6"
    D7 = "D7"
    D8 = "D8"


@dataclass(frozen=True)
class Invariant:
    """A part of a rule that is a query: the rows that it finds break it."""

    rule: Rule
    name: str
    """What must hold, in a few words."""
    key: Key
    """What the table is walked along, in stretches: the workspace, and an id."""
    broken: Select[*tuple[Any, ...]]
    wrong: str
    """What to tell of a row that is found, with the names of its columns in it."""
    remedy: str | None = None
    """What a repair does; None: a person has to look at it, because a text could be lost."""
    repair: Callable[..., Awaitable[None]] | None = None
    """Sets it right, given a session, the workspace and the columns of `subject`."""
    subject: tuple[str, ...] = ()


_SECTIONS: Key = (Section.workspace_id, Section.id)
# Of all the placements of a document: a stretch ends with the last of them.
_PLACEMENTS: Key = (Placement.workspace_id, Placement.document_id)
_CHATS: Key = (ChatSession.workspace_id, ChatSession.id)
_MESSAGES: Key = (Message.workspace_id, Message.id)

_Kept, _Older, _Earlier = aliased(ChatSession), aliased(ChatSession), aliased(Message)

_chat_of_message = and_(ChatSession.workspace_id == Message.workspace_id, ChatSession.id == Message.chat_id)
_opened_through = and_(Document.workspace_id == ChatSession.workspace_id, Document.id == ChatSession.document_id)
_pointed_to = and_(ChatSession.workspace_id == Section.workspace_id, ChatSession.id == Section.chat_session_id)
_is_oldest = ~exists().where(
    _Older.workspace_id == _Kept.workspace_id,
    _Older.section_id == _Kept.section_id,
    tuple_(_Older.created_at, _Older.id) < tuple_(_Kept.created_at, _Kept.id),
)
_doubled, _malformed = repairs.bad_positions()
_posted = func.count(Message.id)
_distinct = func.count(Message.seq.distinct())

# In this order: what a repair leaves to do, a later one does. When chats have been merged, pointers are next.
INVARIANTS = (
    Invariant(
        Rule.D1,
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
        Rule.D2,
        "a chat without messages has its section",
        _CHATS,
        select(ChatSession.workspace_id, ChatSession.id.label("chat_id"), ChatSession.section_id.label("section_id"))
        .outerjoin(Section, visible.chat_of_section())
        .where(Section.id.is_(None), ~exists().where(_chat_of_message)),
        "Chat {chat_id}, which has no messages, belongs to section {section_id}, which is gone",
        "delete the chat",
        repairs.delete_empty_chat,
        ("chat_id",),
    ),
    Invariant(
        Rule.D2,
        "a chat with messages has its section",
        _CHATS,
        select(ChatSession.workspace_id, ChatSession.id.label("chat_id"), ChatSession.section_id.label("section_id"))
        .outerjoin(Section, visible.chat_of_section())
        .where(Section.id.is_(None), exists().where(_chat_of_message)),
        "Chat {chat_id}, which has messages, belongs to section {section_id}, which is gone",
    ),
    Invariant(
        Rule.D2,
        "a placement has its document and its section",
        _PLACEMENTS,
        select(Placement.workspace_id, Placement.document_id, Placement.section_id)
        .outerjoin(Document, visible.placed_in_document())
        .outerjoin(Section, visible.placed_section())
        .where(or_(Document.id.is_(None), Section.id.is_(None))),
        "Section {section_id} is placed in document {document_id}, and one of the two is gone",
        "delete the placement",
        repairs.delete_placement,
        ("document_id", "section_id"),
    ),
    Invariant(
        Rule.D2,
        "a message has its chat",
        _MESSAGES,
        select(Message.workspace_id, Message.id.label("message_id"), Message.chat_id)
        .outerjoin(ChatSession, _chat_of_message)
        .where(ChatSession.id.is_(None)),
        "Message {message_id} belongs to chat {chat_id}, which is gone",
    ),
    # The rest of D3 follows from D2, which looks in the row's own workspace only.
    Invariant(
        Rule.D3,
        "a chat was opened through a document of its workspace",
        _CHATS,
        select(ChatSession.workspace_id, ChatSession.id.label("chat_id"), ChatSession.document_id)
        .outerjoin(Document, _opened_through)
        .where(ChatSession.document_id.is_not(None), Document.id.is_(None)),
        "Chat {chat_id} was opened through document {document_id}, which is not in its workspace",
        "leave open through which document it was",
        repairs.forget_document,
        ("chat_id",),
    ),
    Invariant(
        Rule.D4,
        "a pointer names the chat of its section",
        _SECTIONS,
        select(Section.workspace_id, Section.id.label("section_id"), Section.chat_session_id.label("chat_id"))
        .outerjoin(ChatSession, _pointed_to)
        .where(
            Section.chat_session_id.is_not(None),
            or_(ChatSession.id.is_(None), ChatSession.section_id != Section.id),
        ),
        "Section {section_id} points to {chat_id}, which is no chat of it",
        "point it to its chat, or to none where it has none",
        repairs.point_section,
        ("section_id",),
    ),
    Invariant(
        Rule.D5,
        "a section with a chat points to one",
        _SECTIONS,
        select(Section.workspace_id, Section.id.label("section_id"), ChatSession.id.label("chat_id"))
        .join(ChatSession, visible.chat_of_section())
        .where(Section.chat_session_id.is_(None)),
        "Section {section_id} has the chat {chat_id} and points to none",
        "point it to its chat",
        repairs.point_section,
        ("section_id",),
    ),
    Invariant(
        Rule.D6,
        "the messages of a chat are numbered 1 to its last",
        _CHATS,
        select(
            ChatSession.workspace_id,
            ChatSession.id.label("chat_id"),
            ChatSession.last_seq.label("last"),
            _posted.label("posted"),
        )
        .outerjoin(Message, _chat_of_message)
        .group_by(ChatSession.workspace_id, ChatSession.id, ChatSession.last_seq)
        .having(
            or_(
                _posted != ChatSession.last_seq,
                _distinct != ChatSession.last_seq,
                func.coalesce(func.min(Message.seq), 1) != 1,
                func.coalesce(func.max(Message.seq), 0) != ChatSession.last_seq,
            )
        ),
        "Chat {chat_id} has {posted} messages, which are not numbered 1 to {last}, its last number",
        "number them 1 to {posted} in their order",
        repairs.number_messages,
        ("chat_id",),
    ),
    Invariant(
        Rule.D6,
        "an author's client id names one message of a chat",
        _MESSAGES,
        select(Message.workspace_id, Message.id.label("message_id"), Message.chat_id)
        .join(
            _Earlier,
            and_(
                _Earlier.workspace_id == Message.workspace_id,
                _Earlier.chat_id == Message.chat_id,
                _Earlier.author == Message.author,
                _Earlier.client_id == Message.client_id,
                tuple_(*(getattr(_Earlier, column.key) for column in repairs.AS_POSTED)) < tuple_(*repairs.AS_POSTED),
            ),
        )
        .distinct(),
        "Message {message_id} of chat {chat_id} has the client id of an earlier one of its author",
        "take the client id from it",
        repairs.drop_client_ids,
        ("chat_id",),
    ),
    Invariant(
        Rule.D7,
        "the positions in a document are distinct fractional keys",
        _PLACEMENTS,
        select(Placement.workspace_id, Placement.document_id, func.count().label("placed"))
        .group_by(Placement.workspace_id, Placement.document_id)
        .having(or_(_doubled, _malformed)),
        "The positions of the {placed} sections of document {document_id} are not distinct, or not well formed",
        "give them new ones in their present order",
        repairs.set_positions,
        ("document_id",),
    ),
)
"""What the rules say of rows; D8 is the engine's own check."""
