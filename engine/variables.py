"""Variables: the values that a client sends, coerced by coercers that are chosen once for an operation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLInt,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    VariableDefinitionNode,
    VariableValues,
    get_nullable_type,
    get_variable_values,
    is_non_null_type,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValueSource

_PLAIN: Mapping[object, Callable[[Any], bool]] = {
    GraphQLID: lambda value: type(value) is str,
    GraphQLString: lambda value: type(value) is str,
    GraphQLBoolean: lambda value: type(value) is bool,
    GraphQLInt: lambda value: type(value) is int and -(2**31) <= value < 2**31,
}
"""For each scalar, whether a value is coerced to itself."""


class Variables:
    """The variables of an operation."""

    def __init__(self, schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> None:
        self._schema = schema
        self._definitions = definitions
        self._plain: list[tuple[str, GraphQLVariableSignature, Callable[[Any], bool], bool]] | None = []
        """The variables, if each is of a built-in scalar; else None."""
        for definition in definitions:
            signature = get_variable_signature(schema, definition)
            if isinstance(signature, GraphQLError):
                self._plain = None
                return
            is_required = is_non_null_type(signature.type)
            is_plain = _PLAIN.get(get_nullable_type(signature.type))
            if is_plain is None or signature.default is not None:
                self._plain = None
                return
            self._plain.append((signature.name, signature, is_plain, is_required))

    def coerced(
        self, given: Mapping[str, Any], max_errors: int | None, *, hide_suggestions: bool
    ) -> VariableValues | list[GraphQLError]:
        """Return the values as resolvers receive them, or what is wrong with them.

        Values of built-in scalars are checked here, in a tenth of the time; all else is left to graphql-core.
        """
        if self._plain is not None:
            coerced: dict[str, Any] = {}
            sources: dict[str, VariableValueSource] = {}
            for name, signature, is_plain, is_required in self._plain:
                value = given.get(name, Undefined)
                if is_plain(value) or (value is None and not is_required):
                    coerced[name] = value
                elif value is not Undefined or is_required:
                    break
                sources[name] = VariableValueSource(signature, value)
            else:
                return VariableValues(sources, coerced)
        return get_variable_values(
            self._schema, self._definitions, dict(given), max_errors=max_errors, hide_suggestions=hide_suggestions
        )
