"""The context of an operation, which every resolver receives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import strawberry

from db.chat_feed import ChatFeed
from db.principals import Principal
from db.store import Store

P = TypeVar("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """The principal, the store of this operation, and the chat feed of this process."""

    principal: Principal
    store: Store
    chat_feed: ChatFeed
    followed: list[str] = field(default_factory=list)
    """The documents that a subscription shows. It ends when the principal loses its role on one of them."""


Info = strawberry.Info[Context, None]


def each(make: Callable[[P], T], parents: Sequence[P]) -> Sequence[T | Exception]:
    """Return what is made of each parent; an exception in its place fails the field of that parent only."""
    return [_made(make, parent) for parent in parents]


def _made(make: Callable[[P], T], parent: P) -> T | Exception:
    try:
        return make(parent)
    except Exception as error:
        return error


Parents = strawberry.Parent[Sequence[T]]
"""The objects of one level, for all of which a field is resolved at once."""
