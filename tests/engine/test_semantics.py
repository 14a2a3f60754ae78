"""The semantics of execution are graphql-core's, on schemas, data and operations that nobody has written."""

import asyncio
import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from graphql import (
    ExecutionResult,
    GraphQLError,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    execute,
    get_argument_values,
    get_variable_values,
    parse,
    specified_rules,
    validate,
)
from graphql.utilities import print_schema

from engine import plan
from engine.arguments import Arguments
from engine.directives import choosing
from engine.executor import execute_together
from engine.nulls import Null, Settling
from engine.plan import FieldPlan, Plan
from engine.run import Run
from tests.engine.drawing import Case, draw
from tests.support.thorough import thorough

# Where a field fails at once, graphql-core leaves behind what it has begun beside it.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
]

CASES = 20_000 if thorough() else 200
PORTION = 100
RULES = [rule for rule in specified_rules if rule not in (NoUnusedFragmentsRule, NoUnusedVariablesRule)]
SEED = int(os.environ.get("MARGINALIA_TEST_SEED", 0))


async def ours(case: Case) -> tuple[Any, Sequence[GraphQLError]]:
    document = parse(case.text)
    operation, *fragments = document.definitions
    named: Any = {fragment.name.value: fragment for fragment in fragments}  # type: ignore[attr-defined]
    variables = get_variable_values(case.ours, operation.variable_definitions or (), case.variables)  # type: ignore[attr-defined]
    assert not isinstance(variables, list)
    choices = {name: variables.coerced[name] for name in choosing(operation, named)}  # type: ignore[arg-type]
    root = Plan(case.ours, operation, named, choices).root  # type: ignore[arg-type]
    return await execute_together(root, Run(variables, None, case.root))


async def theirs(case: Case) -> ExecutionResult:
    result: Any = execute(case.theirs, parse(case.text), case.root, variable_values=case.variables)
    return await result if hasattr(result, "__await__") else result  # type: ignore[no-any-return]


def place(data: Any, path: Sequence[str | int]) -> int:
    """Return how many steps of a path lead to something that is not null."""
    for depth, step in enumerate(path):
        if data is None:
            return depth
        data = data[step]
    return len(path)


def shown(data: Any, errors: Sequence[GraphQLError], *, exactly: bool) -> Any:
    """Return errors so that they can be compared.

    Where a null went upwards, one of those that sent it is enough: the specification leaves open which.
    """
    seen: set[Any] = set()
    for error in errors:
        path = tuple(error.path or ())
        depth = place(data, path)
        if exactly or depth == len(path):
            seen.add((error.message, path, tuple(error.locations or ())))
        else:
            seen.add(path[:depth])
    return seen


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """Run cases in an event loop that ends with the test, and with it what graphql-core has left behind in it.

    It is collected here and nowhere else: in the constructor of a named tuple, which has no builtins, Python cannot
    look up that the warnings are ignored.
    """
    gc.disable()
    try:
        with asyncio.Runner() as runner:
            yield runner
        gc.collect()
    finally:
        gc.enable()


def differs(runner: asyncio.Runner, case: Case) -> str | None:
    """Tell in what we differ from graphql-core; None: in nothing."""
    expected = runner.run(theirs(case))
    data, errors = runner.run(ours(case))
    if keys(data) != keys(expected.data):
        return f"data {data} instead of {expected.data}"
    told = shown(data, errors, exactly=case.is_sync)
    wanted = shown(data, expected.errors or (), exactly=case.is_sync)
    return None if told == wanted else f"errors {told - wanted}, instead of {wanted - told}"


def is_valid(case: Case) -> bool:
    return not validate(case.theirs, parse(case.text), RULES)


@pytest.mark.parametrize(
    "start",
    range(SEED, SEED + CASES, PORTION),
)
def test_data_and_errors_are_those_of_graphql_core(runner: asyncio.Runner, start: int) -> None:
    valid = failing = 0
    for seed in range(start, start + PORTION):
        case = draw(seed)
        if not is_valid(case):
            continue
        valid += 1
        if difference := differs(runner, case):
            schema = print_schema(case.theirs)
            pytest.fail(f"seed {seed}: {difference}\n{case.text}\n{case.variables}\n{schema}")
        failing += bool(runner.run(ours(case))[1])
    assert valid > PORTION // 2
    assert failing > valid // 4


def keep_first_of_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    original = FieldPlan.__init__

    def init(self: FieldPlan, plan: Any, parent: Any, key: str, nodes: Any, definition: Any) -> None:
        original(self, plan, parent, key, nodes[:1], definition)

    monkeypatch.setattr(FieldPlan, "__init__", init)


def stop_nulls_at_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Settling.field

    def field(self: Settling, field: FieldPlan, row: dict[str, Any], path: Any) -> None:
        try:
            original(self, field, row, path)
        except Null:
            row[field.key] = None

    monkeypatch.setattr(Settling, "field", field)


def forget_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    original = FieldPlan.__init__

    def init(self: FieldPlan, plan: Any, parent: Any, key: str, nodes: Any, definition: Any) -> None:
        original(self, plan, parent, nodes[0].name.value, nodes, definition)

    monkeypatch.setattr(FieldPlan, "__init__", init)


def ignore_directives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "is_included", lambda _node, _choices: True)


def blame_the_first_element(monkeypatch: pytest.MonkeyPatch) -> None:
    original = FieldPlan.fill

    def fill(self: FieldPlan, run: Run, rows: Any, results: Any) -> None:
        if any(isinstance(result, Exception) for result in results):
            results = sorted(results, key=lambda result: not isinstance(result, Exception))
        original(self, run, rows, results)

    monkeypatch.setattr(FieldPlan, "fill", fill)


def take_any_type_for_the_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "_applies", lambda _self, _name, _kind: True)


def leave_out_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Arguments,
        "of",
        lambda self, variables: {
            name: value
            for name, value in get_argument_values(self._definition, self._node, variables).items()
            if value is not None
        },
    )


@pytest.mark.parametrize(
    "mutate",
    [
        keep_first_of_merged,
        stop_nulls_at_the_field,
        forget_aliases,
        ignore_directives,
        blame_the_first_element,
        take_any_type_for_the_condition,
        leave_out_defaults,
    ],
)
def test_mutants_of_the_engine_differ(runner: asyncio.Runner, mutate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    for seed in range(300):
        case = draw(seed)
        try:
            if is_valid(case) and differs(runner, case):
                return
        except Exception:  # a mutant may break down altogether
            return
    pytest.fail("the mutant was not found")


def keys(data: Any) -> Any:
    """Return data with the order of its fields."""
    if isinstance(data, Mapping):
        return [(key, keys(value)) for key, value in data.items()]
    return [keys(item) for item in data] if isinstance(data, list) else data
