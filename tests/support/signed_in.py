"""Signing in: a server that takes tokens, and a token of an owner, for tests about something else."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

SECRET = "a secret of the tests, which has more than 32 bytes"  # noqa: S105 - it protects nothing

SETTINGS: Mapping[str, Any] = {"auth": "tokens", "token_secret": SECRET}
"""The settings of a server that takes tokens."""


def _segment(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _token() -> str:
    parts = {"alg": "HS256"}, {"sub": "u1", "workspace": "local", "role": "OWNER", "exp": 4_000_000_000}
    signed = ".".join(_segment(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{_segment(hmac.digest(SECRET.encode(), signed.encode(), 'sha256'))}"


HEADERS: Mapping[str, str] = {"Authorization": f"Bearer {_token()}"}
"""The headers of a request by an owner of the workspace `local`."""
