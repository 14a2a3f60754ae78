"""Principals: who is asking, in which workspace, in which role."""

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
