"""Credentials: the secrets of API keys and share links, which are shown once and stored as digests."""

import hashlib
import secrets

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
