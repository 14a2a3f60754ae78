"""Idempotency: distinguishes the retry of a creation from another creation with the same id."""

import hashlib
import json

from db.models import Document, Placement, Section
from db.reading.rows import Selection
from db.store import Store


def creation_digest(caller_id: str | None, *arguments: str | int | None) -> str | None:
    """Return a digest of the arguments of a creation, or None if the caller chose no id."""
    if caller_id is None:
        return None
    return hashlib.sha256(json.dumps(arguments).encode()).hexdigest()


CREATION: Selection = {Section: frozenset({"created_by", "creation_digest"})}
"""What `is_retry_of` reads of a stored row."""


def is_retry_of(made: Document | Section, repeated: Document | Section) -> bool:
    """Return whether a stored row and a new row come from the same call by the same author."""
    return (
        made.created_by == repeated.created_by
        and made.creation_digest is not None
        and made.creation_digest == repeated.creation_digest
    )


async def earlier_section(
    store: Store, document_id: str, repeated: Section
) -> tuple[Section, str, Placement | None] | None:
    """Return what an earlier call created in a document, if this call is its retry.

    The placement is None if the section was removed from the document since.
    """
    anchor = await store.anchor(document_id, repeated.id, also=CREATION)
    if anchor.section is None or not is_retry_of(anchor.section, repeated):
        return None
    return anchor.section, document_id, anchor.placement
