"""Execution: from an operation that is ready to its results, with errors as clients may see them."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, TypeGuard, cast

import structlog
from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    OperationType,
    VariableDefinitionNode,
    create_source_event_stream,
)

from db.chat_feed import SlowConsumer
from db.connection.errors import DatabaseUnavailable
from db.reading.unreadable import Unreadable
from engine.complexity import Limits
from engine.operation_cache import PreparedOperation, Refused, client_error
from resolvers.context import Context
from services.outcomes import BadArgument, ErrorCode

_log = structlog.stdlib.get_logger("marginalia.graphql")


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


async def execute(
    operation: PreparedOperation, variables: Mapping[str, Any], context: Context, bounds: ExecutionLimits
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
    context: Callable[[], Context],
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
            yield Result(None, present([GraphQLError("The subscription has ended", original_error=error)]))

    async with aclosing(cast(AsyncGenerator[Any, None], source)) as events, aclosing(results(events)) as shown:
        yield shown


def present(errors: Sequence[GraphQLError]) -> Sequence[GraphQLError]:
    """Log each error for what it is, and mask it in place where it is a fault; clients see their own in full."""
    for error in errors:
        match error.original_error:
            case GraphQLError(nodes=None):
                # The value of a field is none of its type; what clients do wrong stands in their text. The sentence
                # of graphql-core quotes the value, which may be somebody's text.
                mask(error, Unreadable("The value of a field is none of its type"))
            case None | GraphQLError():
                _tell(error, "BAD_REQUEST")
            case BadArgument(code=code):
                _tell(error, code or "BAD_USER_INPUT")
            case SlowConsumer():
                error.message = "Too many events were waiting for you, please subscribe again"
                _tell(error, "FELL_BEHIND")
            case DatabaseUnavailable(retry_after_ms=retry_after_ms) as unavailable:
                _log.warning("unavailable", reason=str(unavailable))
                error.message = "Temporarily unavailable, please retry"
                error.extensions = {"code": ErrorCode.TEMPORARILY_UNAVAILABLE, "retryAfterMs": retry_after_ms}
            case fault:
                mask(error, fault)
    return errors


def mask(error: GraphQLError, fault: BaseException) -> GraphQLError:
    """Log a fault of ours in full, and leave of it for the client an id that is in the log."""
    fault_id = uuid.uuid4().hex
    path = ".".join(map(str, error.path or ()))
    _log.error("fault", fault_id=fault_id, path=path, exc_info=fault)
    error.message = f"Internal error {fault_id}"
    error.extensions = {"code": "INTERNAL", "faultId": fault_id}
    return error


def _first(errors: Sequence[GraphQLError], most: int) -> Sequence[GraphQLError]:
    if (more := len(errors) - most) <= 0:
        return errors
    _log.info("more errors", count=more)
    return [*errors[:most], GraphQLError(f"There are {more:,} more errors", extensions={"code": "TOO_MANY_ERRORS"})]


def _tell(error: GraphQLError, code: str) -> None:
    # What the client did is in the line of the operation; the text of the error can quote what was sent.
    error.extensions = {"code": code, **(error.extensions or {})}


def _executor(operation: PreparedOperation, variables: Mapping[str, Any], bounds: ExecutionLimits) -> Executor[Context]:
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


async def _completed(executor: Executor[Context], bounds: ExecutionLimits) -> Result:
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
    return Result(result.data, present(_first(result.errors or (), bounds.errors)))


def _hide_types(errors: Sequence[GraphQLError]) -> None:
    for error in errors:
        if isinstance(error.original_error, GraphQLError | None):  # graphql-core's own, about an argument
            error.message = "An argument does not match its type"
