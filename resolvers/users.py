"""Users: the authors of objects, and the viewer who sends the request."""

from collections.abc import Sequence

from db.models import ApiKey, ChatSession, Document, Message, Section, ShareLink
from resolvers.context import Info, Parents, each
from services import users
from services.users import User, Viewer


def viewer(info: Info) -> Viewer:
    return users.viewer(info.context.store)


def creators(
    info: Info, objects: Parents[Document | Section | ChatSession | ShareLink | ApiKey]
) -> Sequence[User | Exception]:
    return each(lambda made: users.user(made.created_by), objects)


def authors(info: Info, messages: Parents[Message]) -> Sequence[User | Exception]:
    return each(lambda message: users.user(message.author), messages)
