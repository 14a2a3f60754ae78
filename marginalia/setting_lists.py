"""Settings that are lists: entries separated by commas or spaces, or a JSON list."""

import json
import re
from collections.abc import Callable, Collection

NONE = "none"
"""Stands for an empty list: an empty variable counts as not set."""


def splitter(example: str) -> Callable[[object], object]:
    """Return a function that splits a setting into its entries. Its errors show the example."""

    def split(given: object) -> object:
        if not isinstance(given, str):
            return given
        if given.lstrip().startswith("["):
            try:
                return json.loads(given)
            except (ValueError, RecursionError):
                raise ValueError(f"this is not a JSON list; write {example}") from None
        return re.split(r"[,\s]+", given.strip(", \t\r\n"))

    return split


def without_none(entries: Collection[str]) -> list[str]:
    """Return the entries of a setting, without the word for none."""
    return [entry for entry in entries if entry != NONE]
