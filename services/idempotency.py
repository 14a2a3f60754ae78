"""Idempotency: how the retry of a creation is told from another creation under the same id."""

import hashlib
import json

from db.models import Document, Section


def creation_digest(caller_id: str | None, *arguments: str | int | None) -> str | None:
    """Return a digest of the arguments of a creation under an id of the caller's; None: the server makes the id."""
    if caller_id is None:
        return None
    return hashlib.sha256(json.dumps(arguments).encode()).hexdigest()


def is_retry_of(made: Document | Section, repeated: Document | Section) -> bool:
    """Tell whether a row that is not stored yet comes from the same call by the same author as a stored one."""
    return (
        made.created_by == repeated.created_by
        and made.creation_digest is not None
        and made.creation_digest == repeated.creation_digest
    )
