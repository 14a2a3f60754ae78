"""The context of an operation, which every resolver receives."""

from dataclasses import dataclass

import strawberry

from db.chat_feed import ChatFeed
from db.principals import Principal
from db.store import Store


@dataclass(frozen=True)
class Context:
    """The principal, the store of this operation, and the chat feed of this process."""

    principal: Principal
    store: Store
    chat_feed: ChatFeed


Info = strawberry.Info[Context, None]
