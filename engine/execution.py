"""Execution: runs prepared operations within their limits and presents the errors to clients."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, TypeGuard, cast

from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    OperationType,
    VariableDefinitionNode,
    create_source_event_stream,
)

from engine import errors
from engine.complexity import Limits
from engine.errors import Describe, nothing_expected
from engine.operation_cache import PreparedOperation, Refused, client_error


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


async def execute(
    operation: PreparedOperation, variables: Mapping[str, Any], context: object, bounds: ExecutionLimits
) -> Result:
    """Execute a query or a mutation within its timeout. Raises `Refused` if the variables do not match their types."""
    executor = _executor(operation, variables, bounds)
    executor.context_value = context
    try:
        return await _completed(executor, bounds)
    finally:
        # The helpers refer back to the executor, and through it to everything that was read. Breaking the cycle leaves
        # nothing to the garbage collector, which took a tenth of the time of a hot ensure.
        executor.async_helpers = cast(Any, None)


@asynccontextmanager
async def subscribe(
    operation: PreparedOperation,
    variables: Mapping[str, Any],
    context: Callable[[], object],
    bounds: ExecutionLimits,
) -> AsyncIterator[AsyncGenerator[Result, None]]:
    """Start a subscription and yield its results, each resolved within the timeout; leaving the block ends it.

    Each event gets its own context, so it shares no reads with earlier events, and the principal is determined again.
    An event that resolves to nothing is not delivered. Raises `Refused` if the subscription cannot be started.
    """
    executor = _executor(operation, variables, bounds)
    executor.context_value = context()
    try:
        async with asyncio.timeout(bounds.seconds):
            source = create_source_event_stream(executor)
            if isawaitable(source):
                source = await source
    except TimeoutError:
        raise Refused(_too_long(bounds.seconds, OperationType.SUBSCRIPTION)) from None
    if isinstance(source, ExecutionResult):
        raise Refused(*(source.errors or ()))

    async def results(events: AsyncGenerator[Any, None]) -> AsyncGenerator[Result, None]:
        try:
            async for event in events:
                showing = executor.build_per_event_executor(event)
                showing.context_value = context()
                result = await _completed(showing, bounds)
                if result.errors or any(value is not None for value in (result.data or {}).values()):
                    yield result  # otherwise the client may no longer see the event
        except Exception as error:  # any error of the source ends the stream
            yield Result(
                None,
                errors.present([GraphQLError("The subscription has ended", original_error=error)], bounds.describe),
            )

    async with aclosing(cast(AsyncGenerator[Any, None], source)) as events, aclosing(results(events)) as shown:
        yield shown


def _executor(operation: PreparedOperation, variables: Mapping[str, Any], bounds: ExecutionLimits) -> Executor[Any]:
    executor = Executor.build(
        operation.schema,
        operation.document,
        raw_variable_values=dict(variables),
        operation_name=operation.name,
        is_awaitable=_is_awaitable,
        hide_suggestions=bounds.hide_suggestions,
    )
    if isinstance(executor, list):
        if bounds.hide_schema:
            executor = [_without_types(error) for error in executor]
        raise Refused(*(client_error(error, "BAD_USER_INPUT") for error in executor))
    return executor


def _without_types(error: GraphQLError) -> GraphQLError:
    node = error.nodes[0] if error.nodes else None
    name = f"${node.variable.name.value}" if isinstance(node, VariableDefinitionNode) else "A variable"
    return GraphQLError(f"{name} does not match its type", node)


def _is_awaitable(value: object) -> TypeGuard[Awaitable[Any]]:
    # Called for every value of every field.
    return _KINDS[type(value)]


class _Kinds(dict[type, bool]):
    def __missing__(self, kind: type) -> bool:
        self[kind] = awaitable = hasattr(kind, "__await__")
        return awaitable


_KINDS = _Kinds()
"""Whether a type is awaitable, for each type seen."""


def _too_long(seconds: float, kind: OperationType) -> GraphQLError:
    # A transaction that has begun runs to its end and commits, even if nobody waits for it.
    made = "the change may or may not have been made" if kind is OperationType.MUTATION else "nothing was changed"
    told = f"The server could not finish in {seconds:g} s; {made}"
    return GraphQLError(told, extensions={"code": "TIMEOUT"})


async def _completed(executor: Executor[Any], bounds: ExecutionLimits) -> Result:
    try:
        async with asyncio.timeout(bounds.seconds):
            result = executor.execute_operation()
            if isawaitable(result):
                result = await result
    except TimeoutError:
        return Result(None, [_too_long(bounds.seconds, executor.operation.operation)])
    result = cast(ExecutionResult, result)
    if bounds.hide_schema:
        _hide_types(result.errors or ())
    return Result(result.data, errors.present(errors.first(result.errors or (), bounds.errors), bounds.describe))


def _hide_types(found: Sequence[GraphQLError]) -> None:
    for error in found:
        if isinstance(error.original_error, GraphQLError | None):  # an error of graphql-core about an argument
            error.message = "An argument does not match its type"
