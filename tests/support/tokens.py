"""Tokens: how tests sign in to a server that is not in local mode."""

from collections.abc import Mapping
from typing import Any

SETTINGS: Mapping[str, Any] = {"auth": "tokens"}
"""The settings of a server that takes tokens."""

HEADERS: Mapping[str, str] = {}
"""The headers of a request by an owner of its workspace."""
