"""Tokens: JWTs that a test signs or forges, and the rows of keys and links."""

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from db import ids
from db.connection.database import Database
from db.models import ApiKey, Document, ShareLink, UserKind
from db.principals import Role
from tests.support import factories

SECRET = "a secret of the tests, which has more than 32 bytes"  # noqa: S105 - it protects nothing

VIEWER = "{ viewer { user { id name } role workspace { id } } }"

ALGORITHMS = ["HS256", "RS256", "ES256", "EdDSA", "Ed25519"]

RSA, EC, ED = RSAKey.generate_key(2048), ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519")


def claims(**changed: Any) -> dict[str, Any]:
    """Return the claims of a good token, with changes; None leaves a claim out."""
    now = int(time.time())
    good = {"sub": "u1", "workspace": "local", "role": "EDITOR", "name": "Ann", "iat": now, "exp": now + 600}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def sign(key: Key | None = None, header: Mapping[str, Any] | None = None, /, **changed: Any) -> str:
    """Return a token signed with a key; without one, with the shared secret."""
    key = key or OctKey.import_key(SECRET)
    algorithm = {"oct": "HS256", "RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}[key.key_type]
    return jwt.encode({"alg": algorithm, **(header or {})}, claims(**changed), key, algorithms=ALGORITHMS)


def segment(data: object) -> str:
    """Return a part of a token: bytes or text as they are, and anything else as JSON."""
    if not isinstance(data, bytes):
        data = (data if isinstance(data, str) else json.dumps(data)).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def bearer(token: str) -> dict[str, str]:
    """Return the header of a token."""
    return {"Authorization": f"Bearer {token}"}


def public_pem(key: Key) -> str:
    """Return the public key of a key pair, in PEM."""
    pem: bytes = key.as_pem(private=False)  # type: ignore[union-attr] # the shared secret has none
    return pem.decode()


async def api_key(database: Database, **values: Any) -> tuple[str, ApiKey]:
    """Store an API key, and return its secret and the row."""
    secret = f"mg_{secrets.token_urlsafe(32)}"
    row = {
        "workspace_id": "local",
        "id": ids.new(ids.API_KEY),
        "name": "A backend",
        "digest": sha256(secret.encode()).hexdigest(),
        "role": Role.EDITOR,
        "kind": UserKind.SERVICE,
        "created_by": "ann",
    }
    return secret, await factories.add(database, ApiKey(**{**row, **values}))


async def share_link(database: Database, document: Document, **values: Any) -> tuple[str, ShareLink]:
    """Store a share link of a document, and return its secret and the row."""
    secret = f"mgl_{secrets.token_urlsafe(32)}"
    row = {
        "workspace_id": document.workspace_id,
        "id": ids.new(ids.SHARE_LINK),
        "document_id": document.id,
        "digest": sha256(secret.encode()).hexdigest(),
        "role": Role.COMMENTER,
        "created_by": "ann",
    }
    return secret, await factories.add(database, ShareLink(**{**row, **values}))


def in_seconds(seconds: float) -> datetime:
    """Return a time from now on."""
    return datetime.now(UTC) + timedelta(seconds=seconds)
