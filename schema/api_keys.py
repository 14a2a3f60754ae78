"""API keys: the secrets with which backends act in a workspace."""

from datetime import datetime

import strawberry

from db import models
from db.principals import Role
from resolvers import api_keys as resolvers
from resolvers import users
from schema.nodes import Connection, Edge, Node
from schema.results import result_of
from schema.users import User
from schema.view import View, batched_by, field, resolved_by
from services import api_keys


@strawberry.type(description="A secret with which a backend acts in a workspace, for itself or for a user.")
class ApiKey(View, Node):
    """An API key; its secret and the digest of it are never shown."""

    represents = models.ApiKey

    name: str = field("A name by which owners recognise the key.")
    # Not `role`: Message has a field of that name and another type, so a query for nodes could not select both.
    role: Role = field("The role of the key in the workspace.", name="workspaceRole")
    kind: models.UserKind = field("What the key is when it acts for nobody else: SERVICE or ASSISTANT.")
    created_by: User = batched_by(users.creators, "The user who created the key.", reads=["created_by"])
    created_at: datetime = field("When the key was created.")
    expires_at: datetime | None = field("When the key expires; null if it never does.")
    last_used_at: datetime | None = field("When the key was last used, to the minute; null if it never was.")
    revoked_at: datetime | None = field("When the key was revoked; null if it was not.")


@strawberry.type(description="The API key was created. This is the only time that its secret is shown.")
class CreateApiKeySuccess(View):
    """The success of createApiKey."""

    represents = api_keys.CreateApiKeySuccess

    secret: str = field("The secret, for the header `Authorization: Bearer`. It is stored nowhere: keep it safe.")
    api_key: ApiKey = field("The new API key.")
    api_key_edge: Edge[ApiKey] = batched_by(
        resolvers.created_edges, "The new API key as an edge of Query.apiKeys, for clients that keep that list."
    )


@strawberry.type(description="The API key is revoked, by this call or by an earlier one.")
class RevokeApiKeySuccess(View):
    """The success of revokeApiKey."""

    represents = api_keys.RevokeApiKeySuccess

    api_key: ApiKey = field("The API key, with the time of its revocation.")


@strawberry.type
class Queries:
    """The query fields for API keys."""

    api_keys: Connection[ApiKey] | None = resolved_by(
        resolvers.api_keys,
        "The API keys of your workspace, newest first, with those that expired or were revoked. It is empty unless you "
        "are an owner, and null only if an error occurred.",
    )


@strawberry.type
class Mutations:
    """The mutation fields for API keys."""

    create_api_key = result_of(
        resolvers.create_api_key,
        "Create an API key. Only owners may. A retry creates another key: revoke the one whose secret was lost.",
        answer="The new API key with its secret, or the reason it was not created.",
    )
    revoke_api_key = result_of(
        resolvers.revoke_api_key,
        "Revoke an API key for good. Only owners may. Safe to retry.",
        answer="The revoked API key, or the reason it was not revoked.",
    )
