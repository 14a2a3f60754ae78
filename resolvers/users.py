"""Users: the authors of objects, and the viewer who sends the request."""

from db.models import ChatSession, Document, Message, Section
from resolvers.context import Info
from services import users
from services.users import User, Viewer


def viewer(info: Info) -> Viewer:
    return users.viewer(info.context.store)


def created_by(root: Document | Section | ChatSession, info: Info) -> User:
    return users.user(root.created_by)


def author(root: Message, info: Info) -> User:
    return users.user(root.author)
