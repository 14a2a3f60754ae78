"""Visibility: the rows that a viewer may see, and the join conditions of the tables.

Every query that answers a client takes its conditions from here, so that a hidden row is hidden everywhere. A test
over the syntax tree forbids such conditions anywhere else. `Principal.role_on` has the same rules for one document.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple, Self

from sqlalchemy import BindParameter, ColumnElement, ScalarSelect, Select, Text, and_, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from db.models import ChatSession, Document, DocumentAccess, Grant, Message, Placement, Section, User
from db.principals import Principal, Role
from db.reading.sql_arrays import TextArray, is_one_of, planned_apart

Workspace = str | ColumnElement[str] | InstrumentedAttribute[str]
"""A workspace: its id, or an SQL expression of it."""


class Reach(Enum):
    """Which documents of its workspace a viewer may use. It decides the conditions of a statement."""

    ALL = auto()
    """Every document."""
    OPEN = auto()
    """Those that are open to the workspace, and those of `GRANTED`."""
    GRANTED = auto()
    """The restricted ones that the viewer created, and those on which it has a grant."""
    NAMED = auto()
    """Those that its token names, or its share link."""


class Shape(NamedTuple):
    """What the conditions of a statement depend on, besides its parameters."""

    reach: Reach
    least: Role
    """The role on a document that the viewer must have."""


@dataclass(frozen=True)
class Viewer:
    """Who reads: the values that conditions need, or SQL expressions of them."""

    shape: Shape
    workspace: Workspace
    user: Any
    documents: Any
    """The named documents; not used otherwise."""

    @classmethod
    def of(cls, principal: Principal, least: Role = Role.READER) -> Self:
        """Return a principal as the viewer of what it has a role on, or a higher role than `READER`."""
        named = principal.documents
        if named is not None:
            documents = [document_id for document_id, role in named.items() if role >= least]
            return cls(Shape(Reach.NAMED, least), principal.workspace_id, "", documents)
        if principal.role is Role.OWNER:
            return cls(Shape(Reach.ALL, least), principal.workspace_id, "", [])
        is_open = principal.role is not None and principal.role >= least
        shape = Shape(Reach.OPEN if is_open else Reach.GRANTED, least)
        return cls(shape, principal.workspace_id, principal.user_id, [])

    @classmethod
    def of_all(cls, workspace: Workspace) -> Self:
        """Return a viewer of all that a workspace has."""
        return cls(_ALL, workspace, "", [])

    @property
    def given(self) -> Mapping[str, Any]:
        """The parameters of a statement that was built for `parameters(self.shape)`."""
        return {"workspace": self.workspace, "user": self.user, "documents": self.documents}


_ALL = Shape(Reach.ALL, Role.READER)

WORKSPACE: BindParameter[str] = BindParameter("workspace", type_=Text())
"""The workspace of the viewer, as the parameter `workspace` of a statement."""


def parameters(shape: Shape) -> Viewer:
    """Return the viewer of a statement whose parameters are those of `Viewer.given`."""
    return Viewer(shape, WORKSPACE, BindParameter("user", type_=Text()), named_documents())


def named_documents() -> BindParameter[Any]:
    """Return the named documents of a viewer, as the parameter `documents` of a statement."""
    return BindParameter("documents", type_=TextArray())


def live_document(workspace: Workspace, document: Any = Document) -> ColumnElement[bool]:
    """Select the documents that are not in the trash, from the table or an alias."""
    return and_(document.workspace_id == workspace, document.deleted_at.is_(None))


def live_section(workspace: Workspace, section: Any = Section) -> ColumnElement[bool]:
    """Select the sections that are not in the trash, placed or not, from the table or an alias."""
    return and_(section.workspace_id == workspace, section.deleted_at.is_(None))


def usable_document(viewer: Viewer, document: Any = Document) -> ColumnElement[bool]:
    """Select the documents on which a viewer has the role that its shape demands, in the trash or not."""
    reach, least = viewer.shape
    if reach is Reach.ALL:
        return true()
    if reach is Reach.NAMED:
        return is_one_of(document.id, viewer.documents)
    is_granted = planned_apart(
        _grants(viewer, document.id).with_only_columns(Grant.document_id).where(Grant.role >= least)
    ).exists()
    is_restricted = document.access == DocumentAccess.RESTRICTED
    is_creator = document.created_by == viewer.user
    if reach is Reach.OPEN:
        return or_(~is_restricted, is_creator, is_granted)
    return or_(and_(is_restricted, is_creator), is_granted)


def usable_section(viewer: Viewer, section: Any = Section) -> ColumnElement[bool]:
    """Select the sections on which a viewer has the role that its shape demands, in the trash or not.

    A section is used through the documents that hold it and, if none does, through the one it was last removed from. A
    document in the trash counts too: moving it there takes no rights on its sections away.
    """
    if viewer.shape.reach is Reach.ALL:
        return true()
    held = and_(Placement.workspace_id == section.workspace_id, Placement.section_id == section.id)
    holding = (
        select(Placement.document_id)
        .join(Document, placed_in_document())
        .where(held, usable_document(viewer))
        .correlate_except(Placement, Document)
    )
    last = (
        select(Document.id)
        .where(Document.workspace_id == section.workspace_id, Document.id == section.removed_from)
        .where(usable_document(viewer))
        .correlate_except(Document)
    )
    is_placed = planned_apart(select(Placement.document_id).where(held).correlate_except(Placement)).exists()
    was_never_placed = section.removed_from.is_(None) if viewer.shape.reach is Reach.OPEN else false()
    is_usable_alone = or_(was_never_placed, planned_apart(last).exists())
    return or_(planned_apart(holding).exists(), and_(~is_placed, is_usable_alone))


def readable_document(viewer: Viewer, document: Any = Document) -> ColumnElement[bool]:
    """Select the documents that a viewer may read, from the table or an alias."""
    return and_(live_document(viewer.workspace, document), usable_document(viewer, document))


def readable_section(viewer: Viewer, section: Any = Section) -> ColumnElement[bool]:
    """Select the sections that a viewer may read, placed or not, from the table or an alias."""
    return and_(live_section(viewer.workspace, section), usable_section(viewer, section))


def granted_role(viewer: Viewer, document_id: Any = Document.id) -> ScalarSelect[int]:
    """Return the role that a grant gives the viewer on a document; null without one."""
    return _grants(viewer, document_id).scalar_subquery()


def documents(viewer: Viewer) -> Select[Document]:
    """Select the documents that a viewer may read."""
    return select(Document).where(readable_document(viewer))


def sections(viewer: Viewer) -> Select[Section]:
    """Select the sections that a viewer may read, placed or not."""
    return select(Section).where(readable_section(viewer))


def chats(viewer: Viewer) -> Select[ChatSession]:
    """Select the chats that a viewer may read: those of sections that it may read."""
    return select(ChatSession).where(ChatSession.workspace_id == viewer.workspace, _section_can_be_seen(viewer))


def chats_of_readable_sections(viewer: Viewer) -> Select[ChatSession]:
    """Select the chats of a workspace whose section is not in the trash, for sections that were read already."""
    return chats(Viewer.of_all(viewer.workspace))


def messages(viewer: Viewer) -> Select[Message]:
    """Select the messages that a viewer may read: those of chats that it may read."""
    chat = (
        select(ChatSession.id)
        .where(ChatSession.workspace_id == Message.workspace_id, ChatSession.id == Message.chat_id)
        .where(_section_can_be_seen(viewer))
    )
    return select(Message).where(
        Message.workspace_id == viewer.workspace, planned_apart(chat.correlate(Message)).exists()
    )


def users(viewer: Viewer) -> Select[User]:
    """Select the users of the viewer's workspace."""
    return select(User).where(User.workspace_id == viewer.workspace)


def placed_in_document() -> ColumnElement[bool]:
    """Join placements with their documents."""
    return and_(Placement.workspace_id == Document.workspace_id, Placement.document_id == Document.id)


def placed_section() -> ColumnElement[bool]:
    """Join placements with their sections."""
    return and_(Placement.workspace_id == Section.workspace_id, Placement.section_id == Section.id)


def chat_of_section() -> ColumnElement[bool]:
    """Join chats with the sections they are anchored to."""
    return and_(ChatSession.workspace_id == Section.workspace_id, ChatSession.section_id == Section.id)


def _grants(viewer: Viewer, document_id: Any) -> Select[int]:
    return (
        select(Grant.role)
        .where(Grant.workspace_id == viewer.workspace, Grant.document_id == document_id)
        .where(Grant.user_id == viewer.user)
        .correlate_except(Grant)
    )


def _section_can_be_seen(viewer: Viewer) -> ColumnElement[bool]:
    """Select the chats whose section a viewer may read."""
    seen = Viewer(viewer.shape, ChatSession.workspace_id, viewer.user, viewer.documents)
    section = select(Section.id).where(chat_of_section(), readable_section(seen))
    # A lookup per chat: for a join, the planner may begin with all sections of the workspace.
    return planned_apart(section.correlate(ChatSession)).exists()
