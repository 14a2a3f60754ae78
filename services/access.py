"""Access: the one table of the least role for each action."""

from collections.abc import Mapping
from enum import Enum, auto

from db.principals import Role
from db.store import Store
from services.outcomes import Forbidden


class Action(Enum):
    """An action of a principal that requires a role."""

    READ = auto()
    OPEN_CHAT = auto()
    POST_MESSAGE = auto()
    CREATE_DOCUMENT = auto()
    ARRANGE_SECTIONS = auto()
    """Create, place and remove sections of a document."""
    USE_TRASH = auto()
    """List the trash, move items to the trash, and restore them."""
    PURGE = auto()
    REPAIR = auto()
    """Check the data of the workspace, and repair it."""
    SHARE = auto()
    """Grant roles on a document, make share links of it, and restrict it."""
    MANAGE_KEYS = auto()
    """List, create and revoke API keys."""
    READ_AUDIT = auto()
    ERASE = auto()
    """Erase a person, and export what another person wrote."""


LEAST_ROLES: Mapping[Action, Role] = {
    Action.READ: Role.READER,
    Action.OPEN_CHAT: Role.COMMENTER,
    Action.POST_MESSAGE: Role.COMMENTER,
    Action.CREATE_DOCUMENT: Role.EDITOR,
    Action.ARRANGE_SECTIONS: Role.EDITOR,
    Action.USE_TRASH: Role.EDITOR,
    Action.PURGE: Role.OWNER,
    Action.REPAIR: Role.OWNER,
    Action.SHARE: Role.EDITOR,
    Action.MANAGE_KEYS: Role.OWNER,
    Action.READ_AUDIT: Role.OWNER,
    Action.ERASE: Role.OWNER,
}
"""The least role for each action."""


def may(store: Store, action: Action) -> bool:
    """Return whether the principal may perform an action in its workspace."""
    return store.principal.role is not None and store.principal.role >= LEAST_ROLES[action]


def refusal(store: Store, action: Action, subject_id: str | None = None) -> Forbidden | None:
    """Return `Forbidden` if the role does not allow the action, else None. Without a subject it is on the workspace."""
    return None if may(store, action) else Forbidden(subject_id)
