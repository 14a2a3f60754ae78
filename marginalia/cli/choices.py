"""Choices: options whose values are the members of an enum."""

from enum import Enum
from typing import TypeVar

from marginalia.cli.failure import MISCONFIGURED, fail

E = TypeVar("E", bound=Enum)


def chosen(option: str, kind: type[E], value: str) -> E:
    """Return the member with this name, in any case. Ends the command if there is none."""
    try:
        return kind[value.upper()]
    except KeyError:
        fail(f"{option} is none of {', '.join(kind.__members__)}.", MISCONFIGURED)
