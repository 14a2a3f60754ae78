"""The context: what every resolver may reach."""

from dataclasses import dataclass

import strawberry

from db.chat_feed import ChatFeed
from db.principals import Principal
from db.store import Store


@dataclass(frozen=True)
class Context:
    """Who asks, this operation's way to the data, and this process's ear for what others do."""

    principal: Principal
    store: Store
    chat_feed: ChatFeed


Info = strawberry.Info[Context, None]
