"""Principals: the authenticated user, with workspace and role."""

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """The rights of a principal in its workspace. Each role includes the rights of the roles before it."""

    READER = 1
    COMMENTER = 2
    EDITOR = 3
    OWNER = 4


@dataclass(frozen=True)
class Principal:
    """The authenticated user of a request, acting in a workspace with a role."""

    user_id: str
    workspace_id: str
    role: Role
