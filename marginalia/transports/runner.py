"""The runner: executes GraphQL requests, the same for every transport."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, OperationType

from db.anchors import AnchorLoader
from db.chat_feed import ChatFeed
from db.connection.database import Database
from db.connection.query_stats import QueryStats, collect_query_stats
from db.storage_quota import StorageQuota
from db.store import Store
from engine import errors, execution
from engine.execution import ExecutionLimits, MakeContext, Result
from engine.operation_cache import OperationCache
from engine.persisted_operations import PersistedOperations
from engine.prepared_operation import PreparedOperation, Refused, hold_to_cost
from engine.request import GraphQLRequest
from engine.selection import Selection
from marginalia.authentication.session import Session, SessionEnded
from marginalia.authentication.watch import Allowed, SessionWatch
from marginalia.rates.rate_limited import CODE, RateLimited
from marginalia.transports.errors import describe
from marginalia.transports.interruption import Interruption
from resolvers.context import Context

if TYPE_CHECKING:
    from marginalia.rates.rate_limits import RateLimits  # loaded only with limits


@dataclass
class OperationRecord:
    """One execution of an operation, for observers. `outcome` and `code` are final at its end."""

    operation: PreparedOperation | None
    transport: str
    """`http`, `websocket`, `sse` or `multipart`."""
    started: float
    """The start of parsing, by `time.perf_counter`."""
    outcome: str = "cancelled"
    """`ok`, `errors`, `timeout`, `fault`, `refused` (not executed) or `cancelled` (the client was gone).

    A subscription has the outcome of its last event, and `ok` before the first one. Its end is normal, whichever side
    ends it.
    """
    code: str | None = None
    """The code of the first error."""
    is_trusted: bool = False
    """Whether its text is in the manifest of trusted documents."""
    query_stats: QueryStats = field(default_factory=QueryStats)

    @property
    def name(self) -> str | None:
        """The name of the operation, if it has one. The parser has limited its length and characters."""
        return self.operation.name if self.operation else None

    @property
    def kind(self) -> str | None:
        """`query`, `mutation` or `subscription`. None: the request names no existing operation."""
        return self.operation.kind.value if self.operation else None


Observer = Callable[[OperationRecord], Callable[[], None]]
"""Called when an execution begins; returns what is called when it ends."""


@dataclass(frozen=True)
class GraphQLResponse:
    """A GraphQL response."""

    data: Mapping[str, Any] | None
    errors: Sequence[GraphQLError]
    executed: bool = True
    """Whether execution began. Otherwise the response has no data, not even null."""
    extensions: Mapping[str, Any] | None = None

    @property
    def code(self) -> str | None:
        """The code of the first error."""
        return str((self.errors[0].extensions or {}).get("code")) if self.errors else None

    @property
    def body(self) -> dict[str, Any]:
        """The response as a JSON object."""
        body: dict[str, Any] = {"data": self.data} if self.executed else {}
        if self.errors:
            body["errors"] = [error.formatted for error in self.errors]
        if self.extensions:
            body["extensions"] = self.extensions
        return body


@dataclass(frozen=True)
class PreparedRequest:
    """A request whose operation may be executed."""

    operation: PreparedOperation
    variables: Mapping[str, Any]
    cost: int
    extensions: Mapping[str, Any] | None
    """The `extensions` of the response."""
    started: float
    """The start of parsing."""
    is_trusted: bool = False
    """Whether its text is in the manifest of trusted documents."""


class Runner:
    """Executes the operations of clients on a database, each with a timeout."""

    def __init__(
        self,
        operations: OperationCache,
        documents: PersistedOperations,
        database: Database,
        chat_feed: ChatFeed,
        *,
        query_time: float,
        mutation_time: float,
        watch: SessionWatch,
        observers: Sequence[Observer] = (),
        rate_limits: "RateLimits | None" = None,
        quota: StorageQuota | None = None,
    ) -> None:
        self.operations = operations
        self._documents = documents
        self._database = database
        self._anchors = AnchorLoader(database)
        self._chat_feed = chat_feed
        self._watch = watch
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
        self._observers = observers
        self._rate_limits = rate_limits
        self._quota = quota

    def prepare(
        self, call: GraphQLRequest, *, transport: str, report_cost: bool = False
    ) -> PreparedRequest | GraphQLResponse:
        """Validate a request. Return it ready to run, or the response that refuses it. Nothing is executed."""
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
        reported = {"cost": {"requested": cost, "limit": self.operations.limits.cost}} if report_cost else None
        return PreparedRequest(operation, call.variables, cost, reported, started, is_trusted)

    async def run(self, ready: PreparedRequest, session: Session, *, transport: str) -> GraphQLResponse:
        """Run a query or mutation and return its response. Raises `RateLimited`."""
        operation = ready.operation
        with self._observed(_run_of(ready, transport)) as run:
            await self._charge(ready, session)
            try:
                result = await execution.execute(
                    operation, ready.variables, self._context_for(session), self._bounds[operation.kind]
                )
            except Refused as refusal:
                return _recorded(run, GraphQLResponse(None, errors.present(refusal.errors, describe), executed=False))
            except SessionEnded as ended:
                return _recorded(run, _ended(ended))
            return _recorded(run, _answer(result, ready.extensions))

    @asynccontextmanager
    async def answers(
        self, ready: PreparedRequest, session: Session, *, transport: str
    ) -> AsyncIterator[AsyncIterator[GraphQLResponse]]:
        """Yield the responses of an operation: one of a query or mutation, any number of a subscription.

        Inside the block, a subscription is live. Leaving the block ends it. The end of the session ends it too:
        its last response then has no data, and an error whose code says why. Raises `RateLimited`.
        """
        if ready.operation.kind is not OperationType.SUBSCRIPTION:
            yield _one(await self.run(ready, session, transport=transport))
            return
        with self._observed(_run_of(ready, transport)) as run:
            async with AsyncExitStack() as subscription:
                await self._charge(ready, session)
                if self._rate_limits is not None:
                    subscription.enter_context(self._rate_limits.subscription(session.principal()))
                followed: list[str] = []
                try:
                    results = await subscription.enter_async_context(self._subscribe(ready, session, followed))
                except Refused as refusal:
                    yield _one(
                        _recorded(run, GraphQLResponse(None, errors.present(refusal.errors, describe), executed=False))
                    )
                else:
                    run.outcome, interruption = "ok", Interruption()
                    subscription.enter_context(
                        self._watch.watching(session, interruption.interrupt, self._still_allowed(session, followed))
                    )
                    yield _while_valid(run, ready, session, results, interruption)

    def refuse(self, ready: PreparedRequest, code: str, *, transport: str) -> None:
        """Record that a request must not run over its transport or method. Nothing is executed."""
        with self._observed(_run_of(ready, transport)) as run:
            run.outcome, run.code = "refused", code

    @contextmanager
    def socket(self, session: Session) -> Iterator[None]:
        """Count a socket while it is open. Raises `RateLimited`."""
        if self._rate_limits is None:
            yield
            return
        with self._rate_limits.socket(session.principal()):
            yield

    async def _charge(self, ready: PreparedRequest, session: Session) -> None:
        """Charge an operation to its principal: the one place for all transports. Raises `RateLimited`."""
        if self._rate_limits is not None:
            await self._rate_limits.charge(session.principal(), ready.cost, ready.operation.writes)

    def _subscribe(
        self, ready: PreparedRequest, session: Session, followed: list[str]
    ) -> AbstractAsyncContextManager[AsyncIterator[Result]]:
        return execution.subscribe(
            ready.operation, ready.variables, self._context_for(session, followed), self._bounds[ready.operation.kind]
        )

    def _still_allowed(self, session: Session, followed: Sequence[str]) -> Allowed:
        """Return what tells, twice a second, whether the principal may still see what it has subscribed to."""

        async def is_allowed() -> bool:
            store = Store(self._database, session.principal(), self._anchors)
            return all([await store.has_role_on(document_id) for document_id in followed])

        return is_allowed

    def _context_for(self, session: Session, followed: list[str] | None = None) -> MakeContext:
        def context(selected: Selection) -> Context:
            principal = session.principal()
            store = Store(self._database, principal, self._anchors, selected, self._quota)
            return Context(principal, store, self._chat_feed, [] if followed is None else followed)

        return context

    def _refusal(self, refusal: Refused, run: OperationRecord) -> GraphQLResponse:
        answer = GraphQLResponse(None, errors.present(refusal.errors, describe), executed=False)
        with self._observed(run):
            return _recorded(run, answer)

    @contextmanager
    def _observed(self, run: OperationRecord) -> Iterator[OperationRecord]:
        with collect_query_stats() as run.query_stats:
            ends = [observe(run) for observe in self._observers]
            try:
                yield run
            except RateLimited:
                run.outcome, run.code = "refused", CODE
                raise
            finally:
                for end in reversed(ends):
                    end()


def _run_of(ready: PreparedRequest, transport: str) -> OperationRecord:
    return OperationRecord(ready.operation, transport, ready.started, is_trusted=ready.is_trusted)


def _answer(result: Result, extensions: Mapping[str, Any] | None) -> GraphQLResponse:
    return GraphQLResponse(result.data, result.errors, extensions=extensions)


def _recorded(run: OperationRecord, answer: GraphQLResponse) -> GraphQLResponse:
    run.code = answer.code
    if not answer.executed:
        run.outcome = "refused"
    elif answer.code is None:
        run.outcome = "ok"
    else:
        run.outcome = {"TIMEOUT": "timeout", "INTERNAL": "fault"}.get(answer.code, "errors")
    return answer


def _ended(ended: SessionEnded) -> GraphQLResponse:
    error = GraphQLError(str(ended), original_error=ended)
    return GraphQLResponse(None, errors.present([error], describe), executed=False)


async def _while_valid(
    run: OperationRecord,
    ready: PreparedRequest,
    session: Session,
    results: AsyncIterator[Result],
    interruption: Interruption,
) -> AsyncIterator[GraphQLResponse]:
    """Return the responses of a subscription until the session ends."""
    try:
        while True:
            try:
                result = await interruption.wait(lambda: anext(results))
            except StopAsyncIteration:
                return
            if end := session.end:
                raise SessionEnded(end)
            yield _recorded(run, _answer(result, ready.extensions))
    except SessionEnded as ended:
        answer = _ended(ended)
        run.outcome, run.code = "errors", answer.code
        yield answer


async def _one(answer: GraphQLResponse) -> AsyncIterator[GraphQLResponse]:
    yield answer
