"""Access: the one table that says which role each action needs at least."""

from collections.abc import Mapping
from enum import Enum, auto

from db.principals import Role
from db.store import Store
from services.outcomes import Forbidden


class Action(Enum):
    """What a principal can ask to do."""

    READ = auto()
    OPEN_CHAT = auto()
    POST_MESSAGE = auto()
    CREATE_DOCUMENT = auto()
    ARRANGE_SECTIONS = auto()
    """Create, place and remove sections of a document."""
    USE_TRASH = auto()
    """See what is in the trash, move something there, and restore it."""
    PURGE = auto()
    REPAIR = auto()
    """See what is wrong with the data of the workspace, and repair it."""


LEAST_ROLES: Mapping[Action, Role] = {
    Action.READ: Role.READER,
    Action.OPEN_CHAT: Role.COMMENTER,
    Action.POST_MESSAGE: Role.COMMENTER,
    Action.CREATE_DOCUMENT: Role.EDITOR,
    Action.ARRANGE_SECTIONS: Role.EDITOR,
    Action.USE_TRASH: Role.EDITOR,
    Action.PURGE: Role.OWNER,
    Action.REPAIR: Role.OWNER,
}
"""The least role that may do each action."""


def may(store: Store, action: Action) -> bool:
    """Tell whether the principal may do an action in its workspace."""
    return store.principal.role >= LEAST_ROLES[action]


def refusal(store: Store, action: Action, subject_id: str | None = None) -> Forbidden | None:
    """Return the outcome that refuses an action on a subject (None: the workspace), or None if it is allowed."""
    return None if may(store, action) else Forbidden(subject_id)
