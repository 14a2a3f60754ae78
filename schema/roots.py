"""The roots: where every operation begins, put together from the nouns.

Their fields are nullable, so that one fault does not blank the others.
"""

import strawberry

from schema import chats, doctor, documents, messages, nodes, sections, trash, users


@strawberry.type(description="What can be read.")
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


@strawberry.type(description="What can be changed. Each field answers with what it did, or with an Error.")
class Mutation(
    chats.Mutations,
    messages.Mutations,
    documents.Mutations,
    sections.Mutations,
    trash.Mutations,
    doctor.Mutations,
):
    """The root of mutations."""


@strawberry.type(description="What is delivered as it happens.")
class Subscription(chats.Subscriptions):
    """The root of subscriptions."""
