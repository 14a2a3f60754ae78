"""API keys: the secrets with which backends act in a workspace. Owners create, list and revoke them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from db import api_keys, credentials, ids
from db.audit import AuditAction
from db.models import ApiKey, UserKind
from db.principals import Role
from db.reading.paging import Connection, Edge, Page, connection
from db.store import Store, Transaction
from services import access, audit, limits, validation
from services.access import Action
from services.commands import command
from services.outcomes import ApiKeyNotFound, Forbidden, InvalidInput, TemporarilyUnavailable, Violation
from services.paging import every


@dataclass(frozen=True)
class CreateApiKeySuccess:
    """The new key, and its secret, which is stored nowhere."""

    secret: str
    api_key: ApiKey


@dataclass(frozen=True)
class RevokeApiKeySuccess:
    """The key, revoked by this call or earlier."""

    api_key: ApiKey


CreateApiKeyResult = CreateApiKeySuccess | InvalidInput | Forbidden | TemporarilyUnavailable
RevokeApiKeyResult = RevokeApiKeySuccess | ApiKeyNotFound | Forbidden | TemporarilyUnavailable


@command
async def create_api_key(
    store: Store, name: str, role: Role, kind: UserKind, expires_at: datetime | None
) -> CreateApiKeyResult:
    """Create an API key with a role in the workspace. `expires_at` None: it never expires.

    A retry creates another key: the secret of the first one is lost, because nobody else has it.
    """
    if refused := await audit.refusal(store, Action.MANAGE_KEYS, AuditAction.CREATE_API_KEY):
        return refused
    if invalid := validation.invalid(
        validation.non_blank_text("name", name, limits.API_KEY_NAME_LENGTH),
        _kind(kind),
        validation.expiry(expires_at),
    ):
        return invalid
    secret = credentials.new_secret(credentials.API_KEY)
    key = ApiKey(
        workspace_id=store.workspace_id,
        id=ids.new(ids.API_KEY),
        name=name.strip(),
        digest=credentials.digest(secret),
        role=role,
        kind=kind,
        created_by=store.principal.user_id,
        expires_at=expires_at,
    )

    async def create(transaction: Transaction) -> CreateApiKeySuccess:
        created = await credentials.add(transaction, key)
        await audit.record(transaction, store, AuditAction.CREATE_API_KEY, created.id, role=role.name, kind=kind.value)
        return CreateApiKeySuccess(secret, created)

    return await store.transact(create)


@command
async def revoke_api_key(store: Store, key_id: str) -> RevokeApiKeyResult:
    """Revoke an API key for good; a revoked key keeps the time of its revocation."""
    if refused := await audit.refusal(store, Action.MANAGE_KEYS, AuditAction.REVOKE_API_KEY):
        return refused
    if not ids.is_findable(key_id):
        return ApiKeyNotFound(key_id)

    async def revoke(transaction: Transaction) -> RevokeApiKeySuccess | ApiKeyNotFound:
        key = await credentials.lock(transaction, ApiKey, key_id)
        if key is None:
            return ApiKeyNotFound(key_id)
        if key.revoked_at is None:
            key = await credentials.revoke(transaction, key)
            await audit.record(transaction, store, AuditAction.REVOKE_API_KEY, key_id)
        return RevokeApiKeySuccess(key)

    return await store.transact(revoke)


async def keys(store: Store, page: Page) -> Connection[ApiKey]:
    """Return a page of the API keys of the workspace, newest first; empty for principals who may not manage them."""
    if not access.may(store.principal.role, Action.MANAGE_KEYS):
        return connection([], Page(0))
    return (await store.api_keys(page)).counted_by(store.count_api_keys)


async def all_keys(store: Store) -> Sequence[ApiKey]:
    """Return all API keys of the workspace, newest first; none for principals who may not manage them."""
    return [key async for key in every(partial(keys, store), lambda key: (key.created_at, key.id))]


async def api_key(store: Store, key_id: str) -> ApiKey | None:
    """Return the API key with this id, if the principal may manage keys."""
    return await store.load.api_keys.load(key_id) if access.may(store.principal.role, Action.MANAGE_KEYS) else None


def edge(key: ApiKey) -> Edge[ApiKey]:
    """Return the edge of an API key in the connection of the workspace."""
    return Edge(key, api_keys.NEWEST_FIRST, (key.created_at, key.id))


def _kind(kind: UserKind) -> Violation | None:
    fits = kind in (UserKind.SERVICE, UserKind.ASSISTANT)
    return None if fits else Violation(("kind",), "is not SERVICE or ASSISTANT")
