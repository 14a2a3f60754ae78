"""Storage: whether a workspace may hold more text."""

from db.store import Store
from services.outcomes import StorageLimitExceeded


def refusal(store: Store) -> StorageLimitExceeded | None:
    """Return `StorageLimitExceeded` if the workspace is full, else None."""
    use = store.storage_exceeded()
    return StorageLimitExceeded(use.used_bytes, use.limit_bytes) if use else None
