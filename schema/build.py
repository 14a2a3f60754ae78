"""The schema: the roots put together."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.roots import Mutation, Query, Subscription


def build_schema() -> strawberry.Schema:
    """Build the schema; everything in it is made here, nothing by import."""
    return strawberry.Schema(
        query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(sort_schema=True)
    )


def sdl() -> str:
    """Return the schema as clients know it, in the form of the committed `schema.graphql`."""
    return build_schema().as_str() + "\n"
