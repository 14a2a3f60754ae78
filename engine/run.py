"""A run: one execution of a plan, level by level."""

from asyncio import gather
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from graphql import VariableValues

if TYPE_CHECKING:
    from engine.plan import FieldPlan, ObjectPlan


class Failed:
    """Stands where a field has failed, until `nulls.settle` replaces it by null and an error."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class Step:
    """One field of one level: a resolver to call with all its parents, whose rows the results complete."""

    __slots__ = ("field", "parents", "rows")

    def __init__(self, field: "FieldPlan", parents: Sequence[Any], rows: Sequence[dict[str, Any]]) -> None:
        self.field = field
        self.parents = parents
        self.rows = rows

    def fill(self, run: "Run", results: Any) -> None:
        """Complete what the resolver returned, one result for each parent, and put it into the rows."""
        if isinstance(results, Exception):
            results = [results] * len(self.rows)
        elif len(results) != len(self.rows):
            wrong = TypeError(f"{self.field} returned {len(results)} results for {len(self.rows)} parents")
            results = [wrong] * len(self.rows)
        key = self.field.key
        for row, value in zip(self.rows, self.field.complete(run, results), strict=True):
            row[key] = value


class Run:
    """What one execution knows: its inputs, the steps that are ready, and whether anything has failed."""

    __slots__ = ("context", "failed", "kinds", "ready", "root", "variables")

    def __init__(self, variables: VariableValues, context: object, root: object = None) -> None:
        self.variables = variables
        self.context = context
        self.root = root
        self.failed = False
        self.ready: list[Step] = []
        self.kinds: list[tuple[Sequence[Any], ObjectPlan]] = []
        """Rows whose type was found out at run time, with their plans."""

    def fail(self, error: Exception) -> Failed:
        """Mark a place as failed."""
        self.failed = True
        return Failed(error)

    async def drain(self) -> None:
        """Take the steps of one level after the other, those of a level at the same time, until none is left."""
        while self.ready:
            level, self.ready = self.ready, []
            waiting: list[tuple[Step, Awaitable[Any]]] = []
            for step in level:
                try:
                    results = step.field.call(self, step.parents)
                except Exception as error:
                    step.fill(self, error)
                    continue
                if hasattr(results, "__await__"):
                    waiting.append((step, results))
                else:
                    step.fill(self, results)
            if len(waiting) == 1:  # as in most operations: no task is needed
                step, awaitable = waiting[0]
                try:
                    results = await awaitable
                except Exception as error:
                    results = error
                step.fill(self, results)
            elif waiting:
                answers = await gather(*(awaitable for _, awaitable in waiting), return_exceptions=True)
                for (step, _), results in zip(waiting, answers, strict=True):
                    if isinstance(results, BaseException) and not isinstance(results, Exception):
                        raise results
                    step.fill(self, results)
