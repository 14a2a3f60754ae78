"""Signing in: a server that takes tokens, and a token of an owner, for tests about something else."""

from collections.abc import Mapping
from typing import Any

from tests.support.tokens import SECRET, bearer, sign

SETTINGS: Mapping[str, Any] = {"auth": "tokens", "token_secret": SECRET}
"""The settings of a server that takes tokens."""

HEADERS: Mapping[str, str] = bearer(sign(role="OWNER", exp=4_000_000_000))
"""The headers of a request by an owner of the workspace `local`."""
