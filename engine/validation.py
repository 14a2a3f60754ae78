"""Validation: the rules that an operation is held to, and what their errors tell of the schema."""

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
"""The message of every error that depends on the schema, where clients may not ask for it."""

Rule = type[Any]
"""A rule: a visitor that graphql-core makes for each document."""


class NoEmptySelectionsRule(ValidationRule):
    """A selection selects something: graphql-core reads `{ }`, which the specification has no place for."""

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
"""The rules whose errors repeat what the client sent and nothing else. A rule that is new is not among them."""


def validation_rules(more: Iterable[Rule] = (), *, introspection: bool) -> Sequence[Rule]:
    """Return the specified rules and `more`; without introspection, their errors name no type and no field.

    What is valid can still be found out by trying, one guess at a time; errors do not help with it.
    """
    rules: tuple[Rule, ...] = (*specified_rules, NoEmptySelectionsRule, *more)
    if introspection:
        return rules
    return (
        *(rule if rule in _OF_THE_DOCUMENT_ALONE else _hiding(rule) for rule in rules),
        NoSchemaIntrospectionCustomRule,
    )


def disclosed(errors: Sequence[GraphQLError]) -> Sequence[GraphQLError]:
    """Return what clients are told: one error without a place, if any depends on a schema that is hidden.

    How many there are, and where, would tell for a hundred guesses at once which of them were right.
    """
    return next(([error] for error in errors if error.message == HIDDEN), errors)


class _HidingContext:
    """What a rule sees of the validation; the errors that it reports name nothing of the schema."""

    def __init__(self, context: ValidationContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def report_error(self, _error: GraphQLError) -> None:
        self._context.report_error(GraphQLError(HIDDEN))


def _hiding(rule: Rule) -> Rule:
    # By its context, because some rules report to that directly.
    def hide(self: Any, context: ValidationContext) -> None:
        rule.__init__(self, _HidingContext(context))

    return type(rule.__name__, (rule,), {"__init__": hide})
