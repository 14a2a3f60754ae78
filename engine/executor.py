"""The executor: runs a plan to its data and its errors, breadth first."""

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError

from engine.nulls import Null, Settling
from engine.plan import ObjectPlan
from engine.run import Run

Outcome = tuple[dict[str, Any] | None, Sequence[GraphQLError]]


async def execute_together(plan: ObjectPlan, run: Run) -> Outcome:
    """Run the root fields, and all beneath them, level by level."""
    (data,) = plan.rows(run, [run.root])
    await run.drain()
    if not run.failed:
        return data, ()
    settling = Settling(run)
    try:
        settling.row(plan, data, [])
    except Null:
        return None, settling.errors
    return data, settling.errors


async def execute_serially(plan: ObjectPlan, run: Run) -> Outcome:
    """Run each root field to its end before the next one begins, as mutations are; a null at the root ends the run."""
    (data,) = plan.rows(run, [run.root])
    steps, run.ready = run.ready, {}
    errors: list[GraphQLError] = []
    for field in plan.fields:
        if field in steps:
            run.ready[field] = steps[field]
            await run.drain()
        if run.failed:
            settling = Settling(run)
            try:
                settling.field(field, data, [])
            except Null:
                return None, [*errors, *settling.errors]
            errors += settling.errors
            run.failed = False
    return data, errors
