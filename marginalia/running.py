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

from db.database import Database
from db.openings import Openings
from db.store import Store, gathered
from db.tallies import Tally, tallied
from marginalia.calls import Call
from marginalia.trusted import Documents
from resolvers.context import Context
from schema import execution
from schema.execution import Bounds, Result
from schema.operations import Operation, Operations, Refused, hold_to_cost
from services.principals import Principal

WhoAsks = Callable[[], Principal]
"""Tells who is asking, anew each time."""


@dataclass
class Run:
    """One run of an operation, as it is told to those who watch; what comes after `transport` is known at its end."""

    operation: Operation | None
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
    tally: Tally = field(default_factory=Tally)

    @property
    def name(self) -> str | None:
        """The name of the operation, if it has one; the parser has seen to it that it is short of surprises."""
        return self.operation.name if self.operation else None

    @property
    def kind(self) -> str | None:
        """`query`, `mutation` or `subscription`; None: the call named no operation that exists."""
        return self.operation.kind.value if self.operation else None


Watch = Callable[[Run], AbstractContextManager[None]]
"""Watches a run from its beginning to its end."""


@dataclass(frozen=True)
class Answer:
    """What is sent to a client."""

    data: Mapping[str, Any] | None
    errors: Sequence[GraphQLError]
    begun: bool = True
    """Whether anything was run: the answer to an operation that was not begun has no data, not even null."""
    extensions: Mapping[str, Any] | None = None

    @property
    def code(self) -> str | None:
        """The code of the first error."""
        return str((self.errors[0].extensions or {}).get("code")) if self.errors else None

    @property
    def body(self) -> dict[str, Any]:
        """The answer as JSON shows it."""
        body: dict[str, Any] = {"data": self.data} if self.begun else {}
        if self.errors:
            body["errors"] = [error.formatted for error in self.errors]
        if self.extensions:
            body["extensions"] = self.extensions
        return body


@dataclass(frozen=True)
class Ready:
    """A call whose operation may be run."""

    operation: Operation
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
        operations: Operations,
        documents: Documents,
        database: Database,
        openings: Openings,
        *,
        query_time: float,
        mutation_time: float,
        watches: Sequence[Watch] = (),
    ) -> None:
        self.operations = operations
        self._documents = documents
        self._database = database
        self._anchors = gathered(database)
        self._openings = openings
        limits = Bounds(
            query_time,
            operations.limits.errors,
            hide_suggestions=not operations.suggestions,
            hide_schema=not operations.introspection,
        )
        self._bounds = {
            OperationType.QUERY: limits,
            OperationType.MUTATION: replace(limits, seconds=mutation_time),
            OperationType.SUBSCRIPTION: limits,
        }
        self._watches = watches

    def prepare(self, call: Call, *, transport: str, tell_cost: bool = False) -> Ready | Answer:
        """Return what a call means, ready to run, or the answer that refuses it; nothing has been run."""
        started = time.perf_counter()
        operation, is_trusted = None, False
        try:
            text = self._documents.text(call)
            is_trusted = self._documents.trusts(text)
            operation = self.operations.find(text, call.operation_name)
            self._documents.remember(call)
            cost = hold_to_cost(operation, call.variables, self.operations.limits.cost)
        except Refused as refusal:
            return self._refusal(refusal, Run(operation, transport, started, is_trusted=is_trusted))
        told = {"cost": {"requested": cost, "limit": self.operations.limits.cost}} if tell_cost else None
        return Ready(operation, call.variables, told, started, is_trusted)

    async def run(self, ready: Ready, who: WhoAsks, *, transport: str) -> Answer:
        """Run a query or a mutation to its answer."""
        operation = ready.operation
        with self._watched(_run_of(ready, transport)) as run:
            try:
                result = await execution.execute(
                    operation, ready.variables, self._context(who), self._bounds[operation.kind]
                )
            except Refused as refusal:
                return _told(run, Answer(None, execution.present(refusal.errors), begun=False))
            return _told(run, _answer(result, ready.extensions))

    @asynccontextmanager
    async def answers(self, ready: Ready, who: WhoAsks, *, transport: str) -> AsyncIterator[AsyncIterator[Answer]]:
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
                    yield _one(_told(run, Answer(None, execution.present(refusal.errors), begun=False)))
                else:
                    run.outcome = "ok"
                    yield (_told(run, _answer(result, ready.extensions)) async for result in results)

    def refuse(self, ready: Ready, code: str, *, transport: str) -> None:
        """Note that a call may not be run in the way that it came; nothing has been run."""
        with self._watched(_run_of(ready, transport)) as run:
            run.outcome, run.code = "refused", code

    def _subscribe(self, ready: Ready, who: WhoAsks) -> AbstractAsyncContextManager[AsyncIterator[Result]]:
        return execution.subscribe(
            ready.operation, ready.variables, lambda: self._context(who), self._bounds[ready.operation.kind]
        )

    def _context(self, who: WhoAsks) -> Context:
        principal = who()
        return Context(principal, Store(self._database, principal.workspace_id, self._anchors), self._openings)

    def _refusal(self, refusal: Refused, run: Run) -> Answer:
        answer = Answer(None, execution.present(refusal.errors), begun=False)
        with self._watched(run):
            return _told(run, answer)

    @contextmanager
    def _watched(self, run: Run) -> Iterator[Run]:
        with ExitStack() as watching, tallied() as run.tally:
            for watch in self._watches:
                watching.enter_context(watch(run))
            yield run


def _run_of(ready: Ready, transport: str) -> Run:
    return Run(ready.operation, transport, ready.started, is_trusted=ready.is_trusted)


def _answer(result: Result, extensions: Mapping[str, Any] | None) -> Answer:
    return Answer(result.data, result.errors, extensions=extensions)


def _told(run: Run, answer: Answer) -> Answer:
    run.code = answer.code
    if not answer.begun:
        run.outcome = "refused"
    elif answer.code is None:
        run.outcome = "ok"
    else:
        run.outcome = {"TIMEOUT": "timeout", "INTERNAL": "fault"}.get(answer.code, "errors")
    return answer


async def _one(answer: Answer) -> AsyncIterator[Answer]:
    yield answer
