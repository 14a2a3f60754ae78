"""Visibility: the rows that a viewer may see, and the join conditions of the tables.

Every query that answers a client takes its conditions from here, so that a hidden row is hidden everywhere. A test
over the syntax tree forbids such conditions anywhere else.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import InstrumentedAttribute

from db.models import ChatSession, Document, Message, Placement, Section
from db.reading.sql_arrays import planned_apart

Workspace = str | ColumnElement[str] | InstrumentedAttribute[str]
"""The workspace of the viewer: its id, or an SQL expression of it."""


def readable_document(workspace: Workspace, document: Any = Document) -> ColumnElement[bool]:
    """Select the documents that a viewer may read, from the table or an alias."""
    return and_(document.workspace_id == workspace, document.deleted_at.is_(None))


def readable_section(workspace: Workspace, section: Any = Section) -> ColumnElement[bool]:
    """Select the sections that a viewer may read, placed or not, from the table or an alias."""
    return and_(section.workspace_id == workspace, section.deleted_at.is_(None))


def documents(workspace_id: Workspace) -> Select[Document]:
    """Select the visible documents of a workspace."""
    return select(Document).where(readable_document(workspace_id))


def sections(workspace_id: Workspace) -> Select[Section]:
    """Select the visible sections of a workspace, placed or not."""
    return select(Section).where(readable_section(workspace_id))


def chats(workspace_id: Workspace) -> Select[ChatSession]:
    """Select the visible chats of a workspace: those whose section is visible."""
    return select(ChatSession).where(ChatSession.workspace_id == workspace_id, _section_can_be_seen())


def messages(workspace_id: Workspace) -> Select[Message]:
    """Select the visible messages of a workspace: those whose chat is visible."""
    chat = (
        select(ChatSession.id)
        .where(ChatSession.workspace_id == Message.workspace_id, ChatSession.id == Message.chat_id)
        .where(_section_can_be_seen())
    )
    return select(Message).where(Message.workspace_id == workspace_id, planned_apart(chat.correlate(Message)).exists())


def placed_in_document() -> ColumnElement[bool]:
    """Join placements with their documents."""
    return and_(Placement.workspace_id == Document.workspace_id, Placement.document_id == Document.id)


def placed_section() -> ColumnElement[bool]:
    """Join placements with their sections."""
    return and_(Placement.workspace_id == Section.workspace_id, Placement.section_id == Section.id)


def chat_of_section() -> ColumnElement[bool]:
    """Join chats with the sections they are anchored to."""
    return and_(ChatSession.workspace_id == Section.workspace_id, ChatSession.section_id == Section.id)


def _section_can_be_seen() -> ColumnElement[bool]:
    """Select the chats whose section is visible."""
    section = select(Section.id).where(chat_of_section(), readable_section(ChatSession.workspace_id))
    # A lookup per chat: for a join, the planner may begin with all sections of the workspace.
    return planned_apart(section.correlate(ChatSession)).exists()
