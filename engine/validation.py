"""Validation: the rules for operations, and how much their errors disclose of the schema."""

from collections.abc import Iterable, Sequence
from typing import Any

from graphql import (
    ExecutableDefinitionsRule,
    GraphQLError,
    KnownFragmentNamesRule,
    LoneAnonymousOperationRule,
    NoFragmentCyclesRule,
    NoSchemaIntrospectionCustomRule,
    NoUndefinedVariablesRule,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    SelectionSetNode,
    SingleFieldSubscriptionsRule,
    UniqueArgumentNamesRule,
    UniqueFragmentNamesRule,
    UniqueInputFieldNamesRule,
    UniqueOperationNamesRule,
    UniqueVariableNamesRule,
    ValidationContext,
    ValidationRule,
    specified_rules,
)

HIDDEN = "The operation does not match the schema, which this server does not disclose"
"""The message of every error that depends on the schema, if introspection is off."""

Rule = type[Any]
"""A validation rule: a visitor class, which graphql-core instantiates for each document."""


class NoEmptySelectionsRule(ValidationRule):
    """Refuses empty selections: graphql-core parses `{ }`, which the specification does not allow."""

    def enter_selection_set(self, node: SelectionSetNode, *_args: Any) -> None:
        """Check a selection."""
        if not node.selections:
            self.report_error(GraphQLError("A selection must select something", node))


_OF_THE_DOCUMENT_ALONE: frozenset[Rule] = frozenset(
    {
        ExecutableDefinitionsRule,
        KnownFragmentNamesRule,
        LoneAnonymousOperationRule,
        NoFragmentCyclesRule,
        NoUndefinedVariablesRule,
        NoUnusedFragmentsRule,
        NoUnusedVariablesRule,
        SingleFieldSubscriptionsRule,
        UniqueArgumentNamesRule,
        UniqueFragmentNamesRule,
        UniqueInputFieldNamesRule,
        UniqueOperationNamesRule,
        UniqueVariableNamesRule,
        NoEmptySelectionsRule,
    }
)
"""The rules whose errors only repeat what the client sent. New rules are hidden until they are listed here."""


def validation_rules(more: Iterable[Rule] = (), *, introspection: bool) -> Sequence[Rule]:
    """Return the specified rules and `more`; without introspection, their errors name no type and no field.

    A client can still find out what is valid by guessing, one guess at a time; the errors do not help.
    """
    rules: tuple[Rule, ...] = (*specified_rules, NoEmptySelectionsRule, *more)
    if introspection:
        return rules
    return (
        *(rule if rule in _OF_THE_DOCUMENT_ALONE else _hiding(rule) for rule in rules),
        NoSchemaIntrospectionCustomRule,
    )


def disclosed(errors: Sequence[GraphQLError]) -> Sequence[GraphQLError]:
    """Return the errors for the client: one error without a location, if any error depends on a hidden schema.

    The number and the locations of the errors would reveal which of a hundred guesses in one request were right.
    """
    return next(([error] for error in errors if error.message == HIDDEN), errors)


class _HidingContext:
    """A validation context whose errors name nothing of the schema."""

    def __init__(self, context: ValidationContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def report_error(self, _error: GraphQLError) -> None:
        self._context.report_error(GraphQLError(HIDDEN))


def _hiding(rule: Rule) -> Rule:
    # Replaces the context, because some rules report errors to the context directly.
    def hide(self: Any, context: ValidationContext) -> None:
        rule.__init__(self, _HidingContext(context))

    return type(rule.__name__, (rule,), {"__init__": hide})
