"""The context: what every resolver may reach."""

from dataclasses import dataclass

import strawberry

from db.store import Store
from services.principals import Principal


@dataclass(frozen=True)
class Context:
    """Who asks, and this operation's way to the data."""

    principal: Principal
    store: Store


Info = strawberry.Info[Context, None]
