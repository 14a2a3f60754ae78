"""Credentials: API keys and share links. Their secrets are shown once and stored as digests."""

import hashlib
import secrets
from typing import TypeVar

from sqlalchemy import insert, select, update

from db.inserts import values
from db.locks import Transaction
from db.models import ApiKey, ShareLink
from db.times import utcnow

API_KEY, SHARE_LINK = "mg_", "mgl_"
"""How the secret of an API key begins, and that of a share link. Scanners for leaked secrets look for these."""

_BYTES = 32


def new_secret(prefix: str) -> str:
    """Return a new secret: the prefix, then 256 random bits in 43 characters of base64url."""
    return prefix + secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> str:
    """Return the SHA-256 of a secret, in hexadecimal, as it is stored.

    It needs no salt and no slow hash: nobody can guess 256 random bits.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


Credential = TypeVar("Credential", ApiKey, ShareLink)


async def add(transaction: Transaction, credential: Credential) -> Credential:
    """Store a new API key or share link, and return it as stored. The document of a link is locked already."""
    kind = type(credential)
    added = await transaction.session.execute(insert(kind).values(values(credential)).returning(kind))
    return added.scalar_one()


async def lock(transaction: Transaction, kind: type[Credential], credential_id: str) -> Credential | None:
    """Lock an API key or a share link, and return it. None: it does not exist."""
    row = select(kind).where(kind.workspace_id == transaction.workspace_id, kind.id == credential_id)
    return (await transaction.lock(kind, row.execution_options(populate_existing=True))).scalar_one_or_none()


async def revoke(transaction: Transaction, credential: Credential) -> Credential:
    """Revoke a locked API key or share link that is not revoked yet, and return it as stored."""
    kind = type(credential)
    revoked = await transaction.session.execute(
        update(kind)
        .where(kind.workspace_id == transaction.workspace_id, kind.id == credential.id)
        .values(revoked_at=utcnow(), updated_at=utcnow())
        .returning(kind)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return revoked.scalar_one()
