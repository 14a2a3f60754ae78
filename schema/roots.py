"""The roots: the query, mutation and subscription fields of every module.

Their fields are nullable, so that one fault does not blank the others.
"""

import strawberry

from schema import (
    api_keys,
    audit,
    chats,
    doctor,
    documents,
    finding,
    grants,
    messages,
    nodes,
    people,
    placements,
    reverts,
    sections,
    share_links,
    sync,
    trash,
    users,
)


@strawberry.type(description="The root of all queries.")
class Query(
    users.Queries,
    nodes.Queries,
    documents.Queries,
    finding.Queries,
    sections.Queries,
    chats.Queries,
    trash.Queries,
    doctor.Queries,
    api_keys.Queries,
    audit.Queries,
):
    """The root of queries."""


@strawberry.type(description="The root of all mutations. Each field returns a success type or an Error.")
class Mutation(
    chats.Mutations,
    messages.Mutations,
    documents.Mutations,
    sections.Mutations,
    placements.Mutations,
    reverts.Mutations,
    sync.Mutations,
    trash.Mutations,
    doctor.Mutations,
    api_keys.Mutations,
    share_links.Mutations,
    grants.Mutations,
    people.Mutations,
):
    """The root of mutations."""


@strawberry.type(description="Live updates.")
class Subscription(chats.Subscriptions):
    """The root of subscriptions."""
