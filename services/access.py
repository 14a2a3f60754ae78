"""Access: the one table of the least role for each action."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from db.models import Document
from db.principals import Role
from db.reading.loader import Loaded, Loader
from db.roles import Standing
from db.store import Store
from services.outcomes import ChatSessionNotFound, DocumentNotFound, Forbidden, SectionNotFound


class Action(Enum):
    """An action of a principal that requires a role. Its value describes it; docs/access.md shows it."""

    READ = "Read a document, its sections, their chats and messages"
    OPEN_CHAT = "Open the chat of a section, on first use"
    POST_MESSAGE = "Post messages to a chat"
    CREATE_DOCUMENT = "Create and import documents"
    ARRANGE_SECTIONS = "Create, place, copy, move, replace and remove sections of a document"
    EDIT = "Change documents and sections, and revert them to earlier versions"
    READ_HISTORY = "Read earlier versions of documents and sections, and the differences between them"
    USE_TRASH = "List the trash, move documents and sections to the trash, and restore them"
    SHARE = "Grant roles on a document, make share links of it, list and revoke both, and restrict it"
    PURGE = "Delete documents and sections in the trash permanently"
    REPAIR = "Check the data of the workspace, and repair it"
    MANAGE_KEYS = "List, create and revoke API keys"
    READ_AUDIT = "Read the audit"
    ERASE = "Erase a user, and export what another user wrote"


LEAST_ROLES: Mapping[Action, Role] = {
    Action.READ: Role.READER,
    Action.OPEN_CHAT: Role.COMMENTER,
    Action.POST_MESSAGE: Role.COMMENTER,
    Action.CREATE_DOCUMENT: Role.EDITOR,
    Action.ARRANGE_SECTIONS: Role.EDITOR,
    Action.EDIT: Role.EDITOR,
    Action.READ_HISTORY: Role.COMMENTER,
    Action.USE_TRASH: Role.EDITOR,
    Action.SHARE: Role.EDITOR,
    Action.PURGE: Role.OWNER,
    Action.REPAIR: Role.OWNER,
    Action.MANAGE_KEYS: Role.OWNER,
    Action.READ_AUDIT: Role.OWNER,
    Action.ERASE: Role.OWNER,
}
"""The least role for each action. `make fix` writes it into docs/access.md."""


@dataclass(frozen=True)
class Rights:
    """What a principal may do with an object, as the mutations would answer."""

    comment: bool
    edit: bool
    share: bool
    use_trash: bool
    purge: bool


def rights(role: Role | None) -> Rights:
    """Return the rights of a role."""
    return Rights(
        comment=may(role, Action.POST_MESSAGE),
        edit=may(role, Action.EDIT),
        share=may(role, Action.SHARE),
        use_trash=may(role, Action.USE_TRASH),
        purge=may(role, Action.PURGE),
    )


def may(role: Role | None, action: Action) -> bool:
    """Return whether a role allows an action."""
    return role is not None and role >= LEAST_ROLES[action]


def is_owner(store: Store) -> bool:
    """Return whether the principal may do everything in its workspace, so that no other role needs to be read."""
    return store.principal.role is Role.OWNER and store.principal.documents is None


def on_workspace(store: Store, action: Action) -> Forbidden | None:
    """Return `Forbidden` if the principal's role in its workspace does not allow the action, else None."""
    return None if may(store.principal.role, action) else Forbidden()


async def on_document(
    store: Store, action: Action, document_id: str, *, in_trash: bool = False, is_known: bool = False
) -> DocumentNotFound | Forbidden | None:
    """Return why the principal may not perform an action on a document; None if it may.

    `in_trash`: on a document in the trash as well, which exists only for those who may use the trash. `is_known`: the
    caller knows that the document exists, or finds out later; then an owner is never refused.
    """
    if is_known and is_owner(store):
        return None
    standing = await store.load.roles_on_documents.load(document_id)
    if standing is None or not _is_there(standing, in_trash):
        return DocumentNotFound(document_id)
    return None if may(standing.role, action) else Forbidden(document_id)


async def on_section(
    store: Store, action: Action, section_id: str, *, in_trash: bool = False, is_known: bool = False
) -> SectionNotFound | Forbidden | None:
    """Return why the principal may not perform an action on a section, as `on_document` does for a document."""
    if is_known and is_owner(store):
        return None
    standing = await store.load.roles_on_sections.load(section_id)
    if standing is None or not _is_there(standing, in_trash):
        return SectionNotFound(section_id)
    return None if may(standing.role, action) else Forbidden(section_id)


async def on_chat(store: Store, action: Action, chat_id: str) -> ChatSessionNotFound | Forbidden | None:
    """Return why the principal may not perform an action on a chat: the role on its section decides."""
    chat = await store.load.chats.load(chat_id)
    if chat is None:
        return ChatSessionNotFound(chat_id)
    refused = await on_section(store, action, chat.section_id, is_known=True)
    if isinstance(refused, SectionNotFound):
        return ChatSessionNotFound(chat_id)  # trashed or withdrawn since
    return None if refused is None else Forbidden(chat_id)


async def roles_on_documents(store: Store, documents: Sequence[Document]) -> Sequence[Loaded[Role | None]]:
    """Return the principal's role on each document, in the trash or not; None if it lost its role meanwhile."""
    return await _roles(store, store.load.roles_on_documents, [document.id for document in documents])


async def roles_on_sections(store: Store, section_ids: Sequence[str]) -> Sequence[Loaded[Role | None]]:
    """Return the principal's role on each section, in the trash or not; None if it lost its role meanwhile."""
    return await _roles(store, store.load.roles_on_sections, section_ids)


async def _roles(
    store: Store, loader: Loader[str, Standing | None], ids: Sequence[str]
) -> Sequence[Loaded[Role | None]]:
    if is_owner(store):
        return [Role.OWNER] * len(ids)
    found = await loader.load_many(ids)
    return [standing.role if isinstance(standing, Standing) else standing for standing in found]


def _is_there(standing: Standing, in_trash: bool) -> bool:
    return not standing.is_trashed or (in_trash and may(standing.role, Action.USE_TRASH))
