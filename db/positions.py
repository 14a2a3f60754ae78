"""Positions: fractional keys that order the sections of a document, with room between any two."""

from fractional_indexing import generate_n_keys_between


def after(last: str | None, count: int = 1) -> list[str]:
    """Return `count` keys, in order, behind the last key of a document (None: the document is empty)."""
    keys: list[str] = generate_n_keys_between(last, None, count)
    return keys
