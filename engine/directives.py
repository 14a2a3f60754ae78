"""Directives: `@skip` and `@include`, decided before a plan is compiled, so that no run asks again."""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    BooleanValueNode,
    FragmentDefinitionNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)

Choices = Mapping[str, bool]
"""The values of the variables that stand in directives."""


def choosing(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> tuple[str, ...]:
    """Return the names of the variables on which it depends what an operation selects."""
    selections = [operation.selection_set, *(fragment.selection_set for fragment in fragments.values())]
    return tuple(sorted({name for selection in selections for name in _variables(selection)}))


def is_included(node: SelectionNode, choices: Choices) -> bool:
    """Tell whether the directives of a field, a spread or an inline fragment let it be."""
    for directive in node.directives or ():
        name = directive.name.value
        if name in ("skip", "include"):
            (argument,) = directive.arguments or ()  # validation has counted them
            value: Any = argument.value
            is_true = value.value if isinstance(value, BooleanValueNode) else choices[value.name.value]
            if is_true == (name == "skip"):
                return False
    return True


def _variables(selection: SelectionSetNode) -> Iterator[str]:
    for node in selection.selections:
        for directive in node.directives or ():
            if directive.name.value in ("skip", "include"):
                for argument in directive.arguments or ():
                    if isinstance(argument.value, VariableNode):
                        yield argument.value.name.value
        inner = getattr(node, "selection_set", None)
        if inner is not None:
            yield from _variables(inner)
