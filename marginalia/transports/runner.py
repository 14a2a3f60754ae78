"""Running: from a call to its answer, the same whatever the way it came."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import GraphQLError, OperationType

from db.chat_feed import ChatFeed
from db.connection.database import Database
from db.connection.query_stats import QueryStats, collect_query_stats
from db.principals import Principal
from db.store import Store, anchor_loader
from engine import errors, execution
from engine.execution import ExecutionLimits, Result
from engine.operation_cache import OperationCache, PreparedOperation, Refused, hold_to_cost
from engine.persisted_operations import PersistedOperations
from engine.request import GraphQLRequest
from marginalia.transports.errors import describe
from resolvers.context import Context

PrincipalProvider = Callable[[], Principal]
"""Tells who is asking, anew each time."""


@dataclass
class OperationRecord:
    """One run of an operation, as it is told to those who watch; what comes after `transport` is known at its end."""

    operation: PreparedOperation | None
    transport: str
    """`http`, `websocket`, `sse` or `multipart`."""
    started: float
    """When its text began to be read, as `time.perf_counter` tells it."""
    outcome: str = "cancelled"
    """`ok`, `errors`, `timeout`, `fault` or, of what was not begun, `refused`; `cancelled`: nobody waited any more.

    Of a subscription that of its last event, and `ok` before the first one: its end is a normal one, whoever ends it.
    """
    code: str | None = None
    """The code of the first error."""
    is_trusted: bool = False
    """Whether its text is in the manifest of trusted documents."""
    query_stats: QueryStats = field(default_factory=QueryStats)

    @property
    def name(self) -> str | None:
        """The name of the operation, if it has one; the parser has seen to it that it is short of surprises."""
        return self.operation.name if self.operation else None

    @property
    def kind(self) -> str | None:
        """`query`, `mutation` or `subscription`; None: the call named no operation that exists."""
        return self.operation.kind.value if self.operation else None


Observer = Callable[[OperationRecord], AbstractContextManager[None]]
"""Watches a run from its beginning to its end."""


@dataclass(frozen=True)
class GraphQLResponse:
    """What is sent to a client."""

    data: Mapping[str, Any] | None
    errors: Sequence[GraphQLError]
    executed: bool = True
    """Whether anything was run: the answer to an operation that was not begun has no data, not even null."""
    extensions: Mapping[str, Any] | None = None

    @property
    def code(self) -> str | None:
        """The code of the first error."""
        return str((self.errors[0].extensions or {}).get("code")) if self.errors else None

    @property
    def body(self) -> dict[str, Any]:
        """The answer as JSON shows it."""
        body: dict[str, Any] = {"data": self.data} if self.executed else {}
        if self.errors:
            body["errors"] = [error.formatted for error in self.errors]
        if self.extensions:
            body["extensions"] = self.extensions
        return body


@dataclass(frozen=True)
class PreparedRequest:
    """A call whose operation may be run."""

    operation: PreparedOperation
    variables: Mapping[str, Any]
    extensions: Mapping[str, Any] | None
    """What the answer tells beside the result."""
    started: float
    """When its text began to be read."""
    is_trusted: bool = False
    """Whether its text is in the manifest of trusted documents."""


class Runner:
    """Runs the operations of clients on a database, each within its time."""

    def __init__(
        self,
        operations: OperationCache,
        documents: PersistedOperations,
        database: Database,
        openings: ChatFeed,
        *,
        query_time: float,
        mutation_time: float,
        watches: Sequence[Observer] = (),
    ) -> None:
        self.operations = operations
        self._documents = documents
        self._database = database
        self._anchors = anchor_loader(database)
        self._openings = openings
        limits = ExecutionLimits(
            query_time,
            operations.limits.errors,
            hide_suggestions=not operations.suggestions,
            hide_schema=not operations.introspection,
            describe=describe,
        )
        self._bounds = {
            OperationType.QUERY: limits,
            OperationType.MUTATION: replace(limits, seconds=mutation_time),
            OperationType.SUBSCRIPTION: limits,
        }
        self._watches = watches

    def prepare(
        self, call: GraphQLRequest, *, transport: str, tell_cost: bool = False
    ) -> PreparedRequest | GraphQLResponse:
        """Return what a call means, ready to run, or the answer that refuses it; nothing has been run."""
        started = time.perf_counter()
        operation, is_trusted = None, False
        try:
            text = self._documents.text(call)
            is_trusted = self._documents.trusts(text)
            operation = self.operations.find(text, call.operation_name)
            self._documents.remember(call)
            cost = hold_to_cost(operation, call.variables, self.operations.limits)
        except Refused as refusal:
            return self._refusal(refusal, OperationRecord(operation, transport, started, is_trusted=is_trusted))
        told = {"cost": {"requested": cost, "limit": self.operations.limits.cost}} if tell_cost else None
        return PreparedRequest(operation, call.variables, told, started, is_trusted)

    async def run(self, ready: PreparedRequest, who: PrincipalProvider, *, transport: str) -> GraphQLResponse:
        """Run a query or a mutation to its answer."""
        operation = ready.operation
        with self._watched(_run_of(ready, transport)) as run:
            try:
                result = await execution.execute(
                    operation, ready.variables, self._context(who), self._bounds[operation.kind]
                )
            except Refused as refusal:
                return _told(run, GraphQLResponse(None, errors.present(refusal.errors, describe), executed=False))
            return _told(run, _answer(result, ready.extensions))

    @asynccontextmanager
    async def answers(
        self, ready: PreparedRequest, who: PrincipalProvider, *, transport: str
    ) -> AsyncIterator[AsyncIterator[GraphQLResponse]]:
        """Give the answers of any operation: one of a query or mutation, any number of a subscription.

        Who is inside the block has a subscription that is live, and leaving it ends it.
        """
        if ready.operation.kind is not OperationType.SUBSCRIPTION:
            yield _one(await self.run(ready, who, transport=transport))
            return
        with self._watched(_run_of(ready, transport)) as run:
            async with AsyncExitStack() as subscription:
                try:
                    results = await subscription.enter_async_context(self._subscribe(ready, who))
                except Refused as refusal:
                    yield _one(
                        _told(run, GraphQLResponse(None, errors.present(refusal.errors, describe), executed=False))
                    )
                else:
                    run.outcome = "ok"
                    yield (_told(run, _answer(result, ready.extensions)) async for result in results)

    def refuse(self, ready: PreparedRequest, code: str, *, transport: str) -> None:
        """Note that a call may not be run in the way that it came; nothing has been run."""
        with self._watched(_run_of(ready, transport)) as run:
            run.outcome, run.code = "refused", code

    def _subscribe(
        self, ready: PreparedRequest, who: PrincipalProvider
    ) -> AbstractAsyncContextManager[AsyncIterator[Result]]:
        return execution.subscribe(
            ready.operation, ready.variables, lambda: self._context(who), self._bounds[ready.operation.kind]
        )

    def _context(self, who: PrincipalProvider) -> Context:
        principal = who()
        return Context(principal, Store(self._database, principal, self._anchors), self._openings)

    def _refusal(self, refusal: Refused, run: OperationRecord) -> GraphQLResponse:
        answer = GraphQLResponse(None, errors.present(refusal.errors, describe), executed=False)
        with self._watched(run):
            return _told(run, answer)

    @contextmanager
    def _watched(self, run: OperationRecord) -> Iterator[OperationRecord]:
        with ExitStack() as watching, collect_query_stats() as run.query_stats:
            for watch in self._watches:
                watching.enter_context(watch(run))
            yield run


def _run_of(ready: PreparedRequest, transport: str) -> OperationRecord:
    return OperationRecord(ready.operation, transport, ready.started, is_trusted=ready.is_trusted)


def _answer(result: Result, extensions: Mapping[str, Any] | None) -> GraphQLResponse:
    return GraphQLResponse(result.data, result.errors, extensions=extensions)


def _told(run: OperationRecord, answer: GraphQLResponse) -> GraphQLResponse:
    run.code = answer.code
    if not answer.executed:
        run.outcome = "refused"
    elif answer.code is None:
        run.outcome = "ok"
    else:
        run.outcome = {"TIMEOUT": "timeout", "INTERNAL": "fault"}.get(answer.code, "errors")
    return answer


async def _one(answer: GraphQLResponse) -> AsyncIterator[GraphQLResponse]:
    yield answer
