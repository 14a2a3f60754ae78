"""A run: one execution of a plan, level by level."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from graphql import VariableValues

if TYPE_CHECKING:
    from engine.plan import FieldPlan, ObjectPlan


SLICE = 16
"""The number of parents whose results are completed at once, to begin with."""

MAX_HOLD_S = 0.01
"""How long a run may hold the event loop before it lets others run."""


class Failed:
    """Stands where a field has failed, until `nulls.settle` replaces it by null and an error."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class Step:
    """One field of one level: a resolver to call with all its parents, whose rows the results complete."""

    __slots__ = ("field", "parents", "rows")

    def __init__(self, field: "FieldPlan", parents: list[Any], rows: list[dict[str, Any]]) -> None:
        self.field = field
        self.parents = parents
        self.rows = rows

    def results(self, returned: Any) -> Sequence[Any]:
        """Return one result for each parent, from what the resolver returned or raised."""
        if isinstance(returned, Exception):
            return [returned] * len(self.rows)
        if len(returned) != len(self.rows):
            wrong = TypeError(f"{self.field} returned {len(returned)} results for {len(self.rows)} parents")
            return [wrong] * len(self.rows)
        results: Sequence[Any] = returned
        return results


class Run:
    """What one execution knows: its inputs, the steps that are ready, and whether anything has failed."""

    __slots__ = ("_resumed", "context", "failed", "kinds", "ready", "root", "variables")

    def __init__(self, variables: VariableValues, context: object, root: object = None) -> None:
        self.variables = variables
        self.context = context
        self.root = root
        self.failed = False
        self.ready: dict[FieldPlan, Step] = {}
        self.kinds: list[tuple[Sequence[Any], ObjectPlan]] = []
        """Rows whose type was found out at run time, with their plans."""
        self._resumed = time.perf_counter()

    def fail(self, error: Exception) -> Failed:
        """Mark a place as failed."""
        self.failed = True
        return Failed(error)

    def later(self, field: "FieldPlan", parents: Sequence[Any], rows: Sequence[dict[str, Any]]) -> None:
        """Resolve a field of the next level, together with the other parents for which it is asked."""
        step = self.ready.get(field)
        if step is None:
            self.ready[field] = Step(field, list(parents), list(rows))
        else:
            step.parents += parents
            step.rows += rows

    async def drain(self) -> None:
        """Take the steps of one level after the other, those of a level at the same time, until none is left."""
        while self.ready:
            level, self.ready = self.ready, {}
            waiting: list[tuple[Step, Awaitable[Any]]] = []
            for step in level.values():
                try:
                    returned = step.field.call(self, step.parents)
                except Exception as error:
                    await self._complete(step, error)
                    continue
                if hasattr(returned, "__await__"):
                    waiting.append((step, returned))
                else:
                    await self._complete(step, returned)
            if len(waiting) == 1:  # as in most operations: no task is needed
                step, awaitable = waiting[0]
                try:
                    returned = await awaitable
                except Exception as error:
                    returned = error
                self._resumed = time.perf_counter()
                await self._complete(step, returned)
            elif waiting:
                answers = await asyncio.gather(*(awaitable for _, awaitable in waiting), return_exceptions=True)
                self._resumed = time.perf_counter()
                for (step, _), returned in zip(waiting, answers, strict=True):
                    if isinstance(returned, BaseException) and not isinstance(returned, Exception):
                        raise returned
                    await self._complete(step, returned)

    async def _complete(self, step: Step, returned: Any) -> None:
        """Put the results of a step into its rows, and let others run if that takes long."""
        results, rows = step.results(returned), step.rows
        start, size, began = 0, SLICE, time.perf_counter()
        while start < len(rows):
            step.field.fill(self, rows[start : start + size], results[start : start + size])
            start += size
            ended = time.perf_counter()
            if ended - began < MAX_HOLD_S / 8:  # what follows is unlikely to take eight times as long
                size *= 2
            if ended - self._resumed > MAX_HOLD_S:
                await asyncio.sleep(0)
                self._resumed = ended = time.perf_counter()
            began = ended
