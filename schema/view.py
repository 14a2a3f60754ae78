"""Views: GraphQL types over domain objects, and the declaration of their fields."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, TypeVar

import strawberry

from engine.complexity import COST
from engine.declarations import READS

E = TypeVar("E", bound=Enum)

BATCHED = "batched"
"""The metadata key of a field whose resolver is called with all objects of a level."""

EVENT = "event"
"""The metadata key of the resolver of events in a subscription field."""


class View:
    """A GraphQL type that represents a class; its fields read the attributes of that class by name."""

    represents: ClassVar[type]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Return whether this type represents the value, for unions and interfaces."""
        return isinstance(value, cls.represents)


def field(description: str, *, name: str | None = None, cost: int = 1) -> Any:
    """Declare a field that reads the attribute of the same name; `name` is its name in the schema, if it differs."""
    return strawberry.field(description=description, name=name, metadata={COST: cost})


def resolved_by(resolver: Callable[..., Any], description: str, *, cost: int = 1) -> Any:
    """Declare a field whose resolver returns the object that the field's type represents.

    This is the one gap in our typing: the class annotates the type that clients see, the resolver annotates the type
    that it returns, and Strawberry does not compare the two. `test_every_resolver_returns_what_its_type_shows` does.
    """
    return strawberry.field(resolver=resolver, description=description, metadata={COST: cost})


def batched_by(resolver: Callable[..., Any], description: str, *, reads: Sequence[str] = (), cost: int = 1) -> Any:
    """Declare a field of an object type, as `resolved_by`, whose resolver is called once for all objects of a level.

    It returns for each of them, in their order, the object that the field's type represents, or an exception. `reads`
    names the attributes that it reads of them, besides their keys.
    """
    metadata = {COST: cost, BATCHED: True, READS: tuple(reads)}
    return strawberry.field(resolver=resolver, description=description, metadata=metadata)


def subscription(resolver: Callable[..., Any], event: Callable[..., Any], description: str) -> Any:
    """Declare a subscription field: its resolver returns an iterator of events, and `event` resolves each of them.

    `event` is called when an event is delivered, with a context created for that event. It returns the object that
    the field's type represents, or None if the client may not see the event, which is then not delivered.
    """
    return strawberry.subscription(resolver=resolver, description=description, metadata={EVENT: event})


def input_of(kind: type, name: str, description: str, *, one_of: bool = False) -> None:
    """Register a class that a resolver takes as a GraphQL input type, after the enums in it.

    `one_of`: exactly one of its fields is given.
    """
    strawberry.input(kind, name=name, description=description, one_of=one_of)


def enum_of(values: type[E], description: str, meanings: Mapping[E, str]) -> None:
    """Register a domain enum as a GraphQL enum and describe its values; the enum does not depend on GraphQL."""
    strawberry.enum(values, description=description)
    for value in values.__strawberry_definition__.values:  # type: ignore[attr-defined] # set by strawberry.enum
        value.description = meanings[values[value.name]]
