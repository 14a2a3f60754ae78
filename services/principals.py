"""Principals: who is asking, and what that role may do."""

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a principal may do in its workspace; each role may do all that the ones before it may."""

    READER = 1
    COMMENTER = 2
    EDITOR = 3
    OWNER = 4


@dataclass(frozen=True)
class Principal:
    """Who is asking: a user, in a workspace, in a role."""

    user_id: str
    workspace_id: str
    role: Role

    @property
    def may_comment(self) -> bool:
        """Tell whether the principal may open chats and post to them."""
        return self.role >= Role.COMMENTER

    @property
    def may_edit(self) -> bool:
        """Tell whether the principal may make and arrange documents and sections."""
        return self.role >= Role.EDITOR

    @property
    def may_purge(self) -> bool:
        """Tell whether the principal may take things away for good."""
        return self.role >= Role.OWNER

    @property
    def may_repair(self) -> bool:
        """Tell whether the principal may see what is wrong with the data of its workspace, and set it right."""
        return self.role >= Role.OWNER
