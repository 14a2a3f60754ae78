"""Completion: the values that a resolver returned, turned into what the response holds, a column at a time.

A column has one value for each parent. A completer returns a column of the same length, in which `Failed` stands
for each value that is not of its type.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from graphql import (
    GraphQLError,
    GraphQLLeafType,
    Undefined,
)
from graphql.pyutils import inspect, is_iterable

from engine.run import Failed, Run

if TYPE_CHECKING:
    from engine.plan import ObjectPlan

Column = Sequence[Any]


_VALUE: Any = object()
"""Says that a value is neither null nor a failure."""


def _instead_of(run: Run, value: Any) -> Any:
    """Return the null or the failure that a resolver returned instead of a value; `_VALUE` if it returned one."""
    if value is None or value is Undefined:
        return None
    if isinstance(value, Failed):
        return value
    return run.fail(value) if isinstance(value, Exception) else _VALUE


class Completer(Protocol):
    """Completes the columns of one type."""

    def complete(self, run: Run, values: Column) -> list[Any]:
        """Return the column as the response holds it."""


class Leaf:
    """A scalar or an enum."""

    def __init__(self, kind: GraphQLLeafType) -> None:
        self.kind = kind

    def complete(self, run: Run, values: Column) -> list[Any]:
        """Coerce the values."""
        return [self.one(run, value) for value in values]

    def one(self, run: Run, value: Any) -> Any:
        """Coerce one value."""
        if (instead := _instead_of(run, value)) is not _VALUE:
            return instead
        try:
            coerced = self.kind.coerce_output_value(value)
        except Exception as error:
            return run.fail(error)
        if coerced is Undefined or coerced is None:
            return run.fail(
                TypeError(
                    f"Expected `{inspect(self.kind)}.coerce_output_value({inspect(value)})` to return non-nullable"
                    f" value, returned: {inspect(coerced)}"
                )
            )
        return coerced


class NonNull:
    """A type without null; `place` names the field in errors."""

    def __init__(self, inner: Completer, place: str) -> None:
        self.inner = inner
        self.place = place

    def complete(self, run: Run, values: Column) -> list[Any]:
        """Complete the inner type, and let nulls fail."""
        completed = self.inner.complete(run, values)
        if None in completed:
            return [self.fail(run) if value is None else value for value in completed]
        return completed

    def fail(self, run: Run) -> Failed:
        """Mark a null."""
        return run.fail(TypeError(f"Cannot return null for non-nullable field {self.place}."))


class ListOf:
    """A list; `place` names the field in errors."""

    def __init__(self, inner: Completer, place: str) -> None:
        self.inner = inner
        self.place = place

    def complete(self, run: Run, values: Column) -> list[Any]:
        """Complete the items of all lists as one column."""
        lists = [value if type(value) is list else self._items(run, value) for value in values]
        items = self.inner.complete(run, [item for each in lists if type(each) is list for item in each])
        if len(lists) == 1 and type(lists[0]) is list:
            return [items]
        completed: list[Any] = []
        start = 0
        for each in lists:
            if type(each) is list:
                completed.append(items[start : start + len(each)])
                start += len(each)
            else:
                completed.append(each)
        return completed

    def _items(self, run: Run, value: Any) -> Any:
        if (instead := _instead_of(run, value)) is not _VALUE:
            return instead
        if not is_iterable(value):
            return run.fail(GraphQLError(f"Expected Iterable, but did not find one for field '{self.place}'."))
        try:
            return list(value)
        except Exception as error:
            return run.fail(error)


class Object:
    """An object type."""

    def __init__(self, plan: "ObjectPlan") -> None:
        self.plan = plan

    def complete(self, run: Run, values: Column) -> list[Any]:
        """Make a row for each value."""
        if all(type(value) in self.plan.classes for value in values):
            return self.plan.rows(run, values)
        checked = [self._check(run, value) for value in values]
        rows = iter(self.plan.rows(run, [each for each in checked if _is_present(each)]))
        return [next(rows) if _is_present(each) else each for each in checked]

    def _check(self, run: Run, value: Any) -> Any:
        if (instead := _instead_of(run, value)) is not _VALUE:
            return instead
        try:
            if self.plan.shows(run, value):
                return value
        except Exception as error:
            return run.fail(error)
        return run.fail(GraphQLError(f"Expected value of type '{self.plan.kind}' but got: {inspect(value)}."))


class Abstract:
    """An interface or a union: values are grouped by their types, and each group is a column."""

    def __init__(
        self,
        possible: Mapping[str, "Callable[[], ObjectPlan]"],
        name_of: Callable[[Run, Any], Any],
        known: dict[type, str],
    ) -> None:
        self._possible = possible
        self._name_of = name_of
        self._known = known
        self._plans: dict[str, Object] = {}

    def complete(self, run: Run, values: Column) -> list[Any]:
        """Make a row for each value, by the plan of its type."""
        completed: list[Any] = list(values)
        groups: dict[str, list[int]] = {}
        for index, value in enumerate(values):
            name = self._known.get(type(value)) or self._known_base(type(value)) or self._resolve(run, value)
            if isinstance(name, str):
                groups.setdefault(name, []).append(index)
            else:
                completed[index] = name
        for name, places in groups.items():
            rows = self._plan(name).complete(run, [values[index] for index in places])
            run.kinds.append((rows, self._plan(name).plan))
            for index, row in zip(places, rows, strict=True):
                completed[index] = row
        return completed

    def plans(self) -> "Sequence[ObjectPlan]":
        """Return the plans of all possible types."""
        return [self._plan(name).plan for name in self._possible]

    def _known_base(self, cls: type) -> str | None:
        for base in cls.__mro__:
            if base in self._known:
                self._known[cls] = self._known[base]
                return self._known[cls]
        return None

    def _resolve(self, run: Run, value: Any) -> Any:
        if (instead := _instead_of(run, value)) is not _VALUE:
            return instead
        try:
            return self._name_of(run, value)
        except Exception as error:
            return run.fail(error)

    def _plan(self, name: str) -> Object:
        if name not in self._plans:
            self._plans[name] = Object(self._possible[name]())
        return self._plans[name]


def _is_present(value: Any) -> bool:
    return value is not None and not isinstance(value, Failed)
