"""Execution: runs prepared operations within their limits and presents the errors to clients."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLError,
    OperationType,
    VariableDefinitionNode,
    VariableValues,
)
from graphql.error import located_error

from engine import errors
from engine.complexity import Limits
from engine.errors import Describe, nothing_expected
from engine.executor import execute_serially, execute_together
from engine.plan import Plan
from engine.prepared_operation import PreparedOperation, Refused, client_error
from engine.run import Run
from engine.selection import Selection


@dataclass(frozen=True)
class Result:
    """The result of an operation whose execution has begun; the errors belong to fields."""

    data: Mapping[str, Any] | None
    errors: Sequence[GraphQLError] = ()


@dataclass(frozen=True)
class ExecutionLimits:
    """The limits of an execution, and how much its errors disclose."""

    seconds: float
    errors: int = Limits.errors
    hide_suggestions: bool = False
    hide_schema: bool = False
    """Whether errors omit the names of types and fields."""
    describe: Describe = nothing_expected
    """Distinguishes the exceptions that clients may see from faults."""


MakeContext = Callable[[Selection], object]
"""Makes the context that resolvers receive, for an operation that reads these attributes."""


async def execute(
    operation: PreparedOperation, variables: Mapping[str, Any], context: MakeContext, bounds: ExecutionLimits
) -> Result:
    """Execute a query or a mutation within its timeout. Raises `Refused` if the variables do not match their types."""
    coerced = _coerced(operation, variables, bounds)
    plan = operation.plan(coerced)
    return await _completed(operation, plan, Run(coerced, context(plan.selection)), bounds)


@asynccontextmanager
async def subscribe(
    operation: PreparedOperation,
    variables: Mapping[str, Any],
    context: MakeContext,
    bounds: ExecutionLimits,
) -> AsyncIterator[AsyncGenerator[Result, None]]:
    """Start a subscription and yield its results, each resolved within the timeout; leaving the block ends it.

    Each event gets its own context, so it shares no reads with earlier events, and the principal is determined again.
    An event that resolves to nothing is not delivered. Raises `Refused` if the subscription cannot be started.
    """
    coerced = _coerced(operation, variables, bounds)
    plan = operation.plan(coerced)
    (field,) = plan.root.fields
    try:
        async with asyncio.timeout(bounds.seconds):
            source = await field.subscribe(Run(coerced, context(plan.selection)))
    except TimeoutError:
        raise Refused(_too_long(bounds.seconds, OperationType.SUBSCRIPTION)) from None
    except Exception as error:
        raise Refused(located_error(error, field.nodes, [field.key])) from None

    async def results(events: AsyncGenerator[Any, None]) -> AsyncGenerator[Result, None]:
        try:
            async for event in events:
                result = await _completed(operation, plan, Run(coerced, context(plan.selection), event), bounds)
                if result.errors or any(value is not None for value in (result.data or {}).values()):
                    yield result  # otherwise the client may no longer see the event
        except Exception as error:  # any error of the source ends the stream
            yield Result(
                None,
                errors.present([GraphQLError("The subscription has ended", original_error=error)], bounds.describe),
            )

    async with aclosing(source) as events, aclosing(results(events)) as shown:
        yield shown


def _coerced(operation: PreparedOperation, variables: Mapping[str, Any], bounds: ExecutionLimits) -> VariableValues:
    coerced = operation.variables.coerced(variables, bounds.errors, hide_suggestions=bounds.hide_suggestions)
    if isinstance(coerced, list):
        if bounds.hide_schema:
            coerced = [_without_types(error) for error in coerced]
        raise Refused(*(client_error(error, "BAD_USER_INPUT") for error in coerced))
    return coerced


def _without_types(error: GraphQLError) -> GraphQLError:
    node = error.nodes[0] if error.nodes else None
    name = f"${node.variable.name.value}" if isinstance(node, VariableDefinitionNode) else "A variable"
    return GraphQLError(f"{name} does not match its type", node)


def _too_long(seconds: float, kind: OperationType) -> GraphQLError:
    # A transaction that has begun runs to its end and commits, even if nobody waits for it.
    made = "the change may or may not have been made" if kind is OperationType.MUTATION else "nothing was changed"
    told = f"The server could not finish in {seconds:g} s; {made}"
    return GraphQLError(told, extensions={"code": "TIMEOUT"})


async def _completed(operation: PreparedOperation, plan: Plan, run: Run, bounds: ExecutionLimits) -> Result:
    execute_plan = execute_serially if operation.kind is OperationType.MUTATION else execute_together
    try:
        async with asyncio.timeout(bounds.seconds):
            data, found = await execute_plan(plan.root, run)
    except TimeoutError:
        return Result(None, [_too_long(bounds.seconds, operation.kind)])
    if not found:
        return Result(data)
    if bounds.hide_schema:
        _hide_types(found)
    return Result(data, errors.present(errors.first(found, bounds.errors), bounds.describe))


def _hide_types(found: Sequence[GraphQLError]) -> None:
    for error in found:
        if isinstance(error.original_error, GraphQLError | None):  # an error of graphql-core about an argument
            error.message = "An argument does not match its type"
