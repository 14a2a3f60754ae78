"""Views: how a GraphQL type stands before the domain object it shows, and how its fields are declared."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, ClassVar, TypeVar

import strawberry

from engine.complexity import COST

E = TypeVar("E", bound=Enum)

EVENT = "event"
"""The metadata key under which a subscription field keeps the resolver of its events."""


class View:
    """A GraphQL type that shows an object of another class, whose attributes its fields read by name."""

    represents: ClassVar[type]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Tell, for unions and interfaces, whether this is the type that shows the value."""
        return isinstance(value, cls.represents)


def field(description: str, *, name: str | None = None, cost: int = 1) -> Any:
    """Declare a field that reads the attribute of its name; `name` is the one that clients see."""
    return strawberry.field(description=description, name=name, metadata={COST: cost})


def resolved_by(resolver: Callable[..., Any], description: str, *, cost: int = 1) -> Any:
    """Declare a field whose resolver returns the object that the field's type represents.

    This is the one gap in our typing: the annotation on the class says what clients see, the one on the resolver
    what it returns, and Strawberry does not compare them. `test_every_resolver_returns_what_its_type_shows` does.
    """
    return strawberry.field(resolver=resolver, description=description, metadata={COST: cost})


def subscription(resolver: Callable[..., Any], event: Callable[..., Any], description: str) -> Any:
    """Declare a subscription field: its resolver returns an iterator of events, and `event` what one of them shows.

    `event` is asked as each of them is shown, in a context of that moment, and returns what the field's type
    represents; or None where nothing of the event may be seen, which then is not delivered.
    """
    return strawberry.subscription(resolver=resolver, description=description, metadata={EVENT: event})


def enum_of(values: type[E], description: str, meanings: Mapping[E, str]) -> None:
    """Make a domain enum a GraphQL enum, with a description for each value; the enum itself knows no GraphQL."""
    strawberry.enum(values, description=description)
    for value in values.__strawberry_definition__.values:  # type: ignore[attr-defined] # put there by strawberry.enum
        value.description = meanings[values[value.name]]
