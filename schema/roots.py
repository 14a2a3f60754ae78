"""The roots: the query, mutation and subscription fields of every module.

Their fields are nullable, so that one fault does not blank the others.
"""

import strawberry

from schema import chats, doctor, documents, messages, nodes, sections, trash, users


@strawberry.type(description="The root of all queries.")
class Query(
    users.Queries,
    nodes.Queries,
    documents.Queries,
    sections.Queries,
    chats.Queries,
    trash.Queries,
    doctor.Queries,
):
    """The root of queries."""


@strawberry.type(description="The root of all mutations. Each field returns a success type or an Error.")
class Mutation(
    chats.Mutations,
    messages.Mutations,
    documents.Mutations,
    sections.Mutations,
    trash.Mutations,
    doctor.Mutations,
):
    """The root of mutations."""


@strawberry.type(description="Live updates.")
class Subscription(chats.Subscriptions):
    """The root of subscriptions."""
