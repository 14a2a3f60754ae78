"""Prepared operations: valid, within the limits, compiled at their first run; and why others were refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableValues,
)

from engine.complexity import ComplexityAnalyzer, LimitExceeded, Limits, PageSizes, size
from engine.directives import choosing
from engine.plan import Plan
from engine.variables import Variables

KEPT_PLANS = 16
"""The number of plans kept for an operation: each combination of its directives has its own."""

KEPT_COSTS = 32
"""The number of costs cached for an operation, one for each combination of page sizes."""


class Refused(Exception):
    """The operation was refused before its execution."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(errors)
        self.errors = errors

    @property
    def code(self) -> str:
        """The code of the first error."""
        return str((self.errors[0].extensions or {}).get("code"))


def refused(code: str, message: str, **extensions: Any) -> Refused:
    """Return a refusal with one error and a stable code."""
    return Refused(GraphQLError(message, extensions={"code": code, **extensions}))


def client_error(error: GraphQLError, code: str) -> GraphQLError:
    """Return an error that graphql-core found in a request, with its code.

    If Python failed to parse a value, such as an integer of five thousand digits, the error would quote all of it.
    """
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    message = "A value does not match its type" if cause else error.message
    # Located by positions, not by nodes: the cache keeps the error, but not its syntax tree.
    return GraphQLError(message, source=error.source, positions=error.positions, extensions={"code": code})


@dataclass(frozen=True)
class PreparedOperation:
    """A valid operation within the limits, ready for any number of executions."""

    schema: GraphQLSchema
    document: DocumentNode
    node: OperationDefinitionNode
    sizes: tuple[str, ...]
    """The variables that specify page sizes."""
    limits: Limits
    root_fields: int
    """The number of root fields, without those of introspection."""
    fragments: Mapping[str, FragmentDefinitionNode] = field(default_factory=dict)
    _costs: dict[tuple[Any, ...], int] = field(default_factory=dict, repr=False)
    _plans: dict[tuple[Any, ...], Plan] = field(default_factory=dict, repr=False)

    @property
    def kind(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.node.operation

    @property
    def reads_data(self) -> bool:
        """Whether the operation selects more than introspection."""
        return self.root_fields > 0

    @property
    def writes(self) -> int:
        """The number of root fields that may change something."""
        return self.root_fields if self.kind is OperationType.MUTATION else 0

    @property
    def name(self) -> str | None:
        """The name of the operation; None if it is anonymous."""
        return self.node.name.value if self.node.name else None

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """The variables on which it depends what the operation selects."""
        return choosing(self.node, self.fragments)

    @property
    def most_plans(self) -> int:
        """The number of plans that the operation can come to keep."""
        return min(KEPT_PLANS, 1 << len(self.choices))

    @cached_property
    def variables(self) -> Variables:
        """The variables of the operation."""
        return Variables(self.schema, self.node.variable_definitions or ())

    def plan(self, variables: VariableValues) -> Plan:
        """Return the plan for these variables: one for each combination of those that stand in directives.

        Raises `Refused` where one of these is null.
        """
        chosen = tuple(variables.coerced.get(name) for name in self.choices)
        plan = self._plans.get(chosen)
        if plan is None:
            choices = {name: value for name, value in zip(self.choices, chosen, strict=True) if value is not None}
            if len(choices) < len(chosen):
                raise refused("BAD_USER_INPUT", "The variable of @skip or @include must not be null")
            plan = Plan(self.schema, self.node, self.fragments, choices)
            if len(self._plans) < KEPT_PLANS:
                self._plans[chosen] = plan
        return plan

    def cost(self, variables: Mapping[str, Any]) -> int:
        """Return the cost of the operation with these variables."""
        # As in `PageSizes`: null differs from absent, for which the default applies.
        given = tuple(
            size(variables[name], self.limits.largest_page) if name in variables else _ABSENT for name in self.sizes
        )
        cost = self._costs.get(given)
        if cost is None:
            sizes = PageSizes(self.node.variable_definitions or (), variables, self.limits.largest_page)
            cost = ComplexityAnalyzer(self.schema, self.document, self.limits).operation(self.node, sizes).cost
            if len(self._costs) < KEPT_COSTS:
                self._costs[given] = cost
        return cost


def hold_to_cost(operation: PreparedOperation, variables: Mapping[str, Any], limits: Limits) -> int:
    """Return the cost of an operation with these variables. Raises `Refused` if the cost exceeds the limit.

    A list that is too long is refused here, before any of its entries is processed.
    """
    for name, given in variables.items():
        longest = limits.largest_page if name in operation.sizes else limits.list_entries
        if isinstance(given, list) and len(given) > longest:
            raise refused("BAD_USER_INPUT", f"A list has {len(given):,} entries; at most {longest:,} are allowed")
    cost = operation.cost(variables)
    if cost > limits.cost:
        raise Refused(excess_error(LimitExceeded("MAX_COST_EXCEEDED", "cost", cost, limits.cost)))
    return cost


def excess_error(excess: LimitExceeded) -> GraphQLError:
    """Return the error for an operation that exceeds a limit."""
    return GraphQLError(
        f"The operation is too large: {excess.what} {excess.requested:,}, limit {excess.limit:,}",
        extensions={"code": excess.code, "requested": excess.requested, "limit": excess.limit},
    )


_ABSENT = object()
