"""Arguments: what a field is called with, coerced once if all of it is literal."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    Undefined,
    ValueNode,
    VariableNode,
    VariableValues,
    get_argument_values,
    is_non_null_type,
)
from graphql.language import Visitor, visit


class Arguments:
    """The arguments of one field of an operation."""

    def __init__(self, definition: GraphQLField, node: FieldNode) -> None:
        self._definition = definition
        self._node = node
        self._given = {argument.name.value: argument.value for argument in node.arguments or ()}

    def of(self, variables: VariableValues) -> Mapping[str, Any]:
        """Return the arguments by their names in Python. Raises `GraphQLError` for a value that is not of its type.

        What is literal is the same object in every run.
        """
        if not self._definition.args:
            return {}
        if self._is_literal:
            return self._literal
        if self._passed_on is None:
            return get_argument_values(self._definition, self._node, variables)
        arguments = {}
        for out_name, variable, is_required in self._passed_on:
            value = variables.coerced.get(variable, Undefined)
            if value is Undefined or (value is None and is_required):
                # Left out, where a default may stand in, or null, where null is an error.
                return get_argument_values(self._definition, self._node, variables)
            arguments[out_name] = value
        return arguments

    @cached_property
    def _is_literal(self) -> bool:
        return not any(map(has_variables, self._given.values()))

    @cached_property
    def _literal(self) -> Mapping[str, Any]:
        return get_argument_values(self._definition, self._node)

    @cached_property
    def _passed_on(self) -> Sequence[tuple[str, str, bool]] | None:
        """The arguments that are variables as they are; None: some have more to them."""
        passed_on = []
        for name, definition in self._definition.args.items():
            value = self._given.get(name)
            if isinstance(value, VariableNode):
                is_required = is_non_null_type(definition.type)
                passed_on.append((definition.out_name or name, value.name.value, is_required))
            elif value is not None or definition.default is not None or definition.default_value is not Undefined:
                return None
        return passed_on


class _Search(Visitor):
    found = False

    def enter_variable(self, *_args: Any) -> None:
        self.found = True


def has_variables(value: ValueNode) -> bool:
    """Tell whether a value in a document depends on variables."""
    search = _Search()
    visit(value, search)
    return search.found
