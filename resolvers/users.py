"""Users: the authors of objects, and the viewer who sends the request."""

from collections.abc import Sequence

from db.models import ApiKey, ChatSession, Document, Message, Section, ShareLink
from db.reading.loader import AwaitableOrValue, Loaded
from resolvers.context import Info, Parents
from services import users
from services.users import User, Viewer, Workspace


def viewer(info: Info) -> Viewer:
    return users.viewer(info.context.store)


def users_of_viewers(info: Info, viewers: Parents[Viewer]) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    return users.of_ids(info.context.store, [viewer.user_id for viewer in viewers])


async def workspaces_of_viewers(info: Info, viewers: Parents[Viewer]) -> Sequence[Workspace]:
    return [await users.workspace(info.context.store) for _ in viewers]


def creators(
    info: Info, objects: Parents[Document | Section | ChatSession | ShareLink | ApiKey]
) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    return users.of_ids(info.context.store, [made.created_by for made in objects])


def editors(info: Info, objects: Parents[Document | Section]) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    return users.of_ids(info.context.store, [each.edited_by or each.created_by for each in objects])


def authors(info: Info, messages: Parents[Message]) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    return users.of_ids(info.context.store, [message.author for message in messages])
