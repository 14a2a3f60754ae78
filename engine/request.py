"""Requests: what a client asks to be executed, whatever transport carried it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class GraphQLRequest:
    """An operation as a client asked for it: by its text, by the id of a persisted one, or by both."""

    query: str | None = None
    document_id: str | None = None
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)
