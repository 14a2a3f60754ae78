"""Access: the role of the viewer on objects, and what it allows."""

from collections.abc import Sequence

from db.models import ChatSession, Document, Section
from db.principals import Role
from db.reading.loader import Loaded
from resolvers.context import Info, Parents
from services import access
from services.access import Rights


async def roles_on_documents(info: Info, documents: Parents[Document]) -> Sequence[Loaded[Role | None]]:
    return await access.roles_on_documents(info.context.store, documents)


async def roles_on_sections(info: Info, sections: Parents[Section]) -> Sequence[Loaded[Role | None]]:
    return await access.roles_on_sections(info.context.store, [section.id for section in sections])


async def roles_on_chats(info: Info, chats: Parents[ChatSession]) -> Sequence[Loaded[Role | None]]:
    return await access.roles_on_sections(info.context.store, [chat.section_id for chat in chats])


async def rights_on_documents(info: Info, documents: Parents[Document]) -> Sequence[Loaded[Rights]]:
    return _rights(await roles_on_documents(info, documents))


async def rights_on_sections(info: Info, sections: Parents[Section]) -> Sequence[Loaded[Rights]]:
    return _rights(await roles_on_sections(info, sections))


async def rights_on_chats(info: Info, chats: Parents[ChatSession]) -> Sequence[Loaded[Rights]]:
    return _rights(await roles_on_chats(info, chats))


def _rights(roles: Sequence[Loaded[Role | None]]) -> Sequence[Loaded[Rights]]:
    return [role if isinstance(role, Exception) else access.rights(role) for role in roles]
