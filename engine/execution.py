"""Execution: from an operation that is ready to its results, with errors as clients may see them."""

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
    """What an operation that was begun has come to; its errors stand at fields."""

    data: Mapping[str, Any] | None
    errors: Sequence[GraphQLError] = ()


@dataclass(frozen=True)
class ExecutionLimits:
    """What an execution is held to, and what its errors tell."""

    seconds: float
    errors: int = Limits.errors
    hide_suggestions: bool = False
    hide_schema: bool = False
    """Whether no error names a type or a field of the schema."""
    describe: Describe = nothing_expected
    """Tells the exceptions that clients may see from faults."""


async def execute(
    operation: PreparedOperation, variables: Mapping[str, Any], context: object, bounds: ExecutionLimits
) -> Result:
    """Run a query or a mutation within its time. Raises `Refused` if the variables are not what it declares."""
    executor = _executor(operation, variables, bounds)
    executor.context_value = context
    try:
        return await _completed(executor, bounds)
    finally:
        # The helpers hold the executor in turn, and with it all that was read; without this circle nothing of it is
        # left to the collector, which took a tenth of the time of a hot ensure.
        executor.async_helpers = cast(Any, None)


@asynccontextmanager
async def subscribe(
    operation: PreparedOperation,
    variables: Mapping[str, Any],
    context: Callable[[], object],
    bounds: ExecutionLimits,
) -> AsyncIterator[AsyncGenerator[Result, None]]:
    """Begin a subscription and give its results, each made within its time; leaving the block ends it.

    Each event is shown through a context of its own, so that nothing read for one is shown for the next, and who is
    asking is asked anew: one that shows nothing is not told. Raises `Refused` if the subscription cannot be begun.
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
                    yield result  # otherwise whoever is asking by now may see nothing of it
        except Exception as error:  # of the source, whatever it is: the stream ends with it
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
    # Asked for every value of every field.
    return _KINDS[type(value)]


class _Kinds(dict[type, bool]):
    def __missing__(self, kind: type) -> bool:
        self[kind] = awaitable = hasattr(kind, "__await__")
        return awaitable


_KINDS = _Kinds()
"""Which types are awaitable."""


def _too_long(seconds: float, kind: OperationType) -> GraphQLError:
    # A transaction that was begun runs to its end, and commits, whoever still waits for it.
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
        if isinstance(error.original_error, GraphQLError | None):  # graphql-core's own, about an argument
            error.message = "An argument does not match its type"
