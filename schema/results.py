"""Results: the union type of a root field, derived from the return type of its use case."""

from collections.abc import Callable, Iterator
from functools import reduce
from inspect import signature
from operator import or_
from typing import Annotated, Any, get_args

import strawberry

from engine.complexity import COST
from schema import errors as errors  # registers the views of the outcomes
from schema.view import View


def result_of(resolver: Callable[..., Any], description: str, *, answer: str, cost: int = 1) -> Any:
    """Declare a root field whose type is the union that the use case of its resolver returns.

    The name of the union is that of the field with the suffix `Result`. Its members are the views of the returned
    types, in their order. `answer` is its description.
    """
    name = "".join(part.capitalize() for part in resolver.__name__.split("_"))
    views = [_view_of(kind) for kind in get_args(signature(resolver).return_annotation)]
    members: Any = reduce(or_, views)
    union: Any = Annotated[members, strawberry.union(f"{name}Result", description=answer)]
    return strawberry.field(
        resolver=resolver, description=description, graphql_type=union | None, metadata={COST: cost}
    )


def _view_of(kind: type) -> type[View]:
    (view,) = (view for view in _views(View) if vars(view).get("represents") is kind)
    return view


def _views(base: type[View]) -> Iterator[type[View]]:
    for view in base.__subclasses__():
        yield view
        yield from _views(view)
