"""What can be seen: the rows of a workspace that are not in the trash, and how the tables hang together.

Every query that answers a client starts here, so that what is hidden is hidden everywhere.
"""

from sqlalchemy import ColumnElement, Select, and_, select

from db.models import ChatSession, Document, Message, Placement, Section
from db.reading.sql_arrays import planned_apart


def documents(workspace_id: str) -> Select[Document]:
    """Select the documents of a workspace."""
    return select(Document).where(Document.workspace_id == workspace_id, Document.deleted_at.is_(None))


def sections(workspace_id: str) -> Select[Section]:
    """Select the sections of a workspace, wherever they stand."""
    return select(Section).where(Section.workspace_id == workspace_id, Section.deleted_at.is_(None))


def chats(workspace_id: str) -> Select[ChatSession]:
    """Select the chats of a workspace: those whose section is not in the trash."""
    return select(ChatSession).where(ChatSession.workspace_id == workspace_id, _section_can_be_seen())


def messages(workspace_id: str) -> Select[Message]:
    """Select the messages of a workspace: those whose chat can be seen."""
    chat = (
        select(ChatSession.id)
        .where(ChatSession.workspace_id == Message.workspace_id, ChatSession.id == Message.chat_id)
        .where(_section_can_be_seen())
    )
    return select(Message).where(Message.workspace_id == workspace_id, planned_apart(chat.correlate(Message)).exists())


def placed_in_document() -> ColumnElement[bool]:
    """Join placements with the documents they are in."""
    return and_(Placement.workspace_id == Document.workspace_id, Placement.document_id == Document.id)


def placed_section() -> ColumnElement[bool]:
    """Join placements with the sections they place."""
    return and_(Placement.workspace_id == Section.workspace_id, Placement.section_id == Section.id)


def chat_of_section() -> ColumnElement[bool]:
    """Join chats with the sections they are anchored to."""
    return and_(ChatSession.workspace_id == Section.workspace_id, ChatSession.section_id == Section.id)


def _section_can_be_seen() -> ColumnElement[bool]:
    """Select the chats whose section is not in the trash."""
    section = select(Section.id).where(chat_of_section(), Section.deleted_at.is_(None))
    # Asked of each chat: joined, the planner may begin with the sections of the workspace, all of them.
    return planned_apart(section.correlate(ChatSession)).exists()
