"""Nulls: after a run in which something failed, each failure becomes an error, and a null where the types allow one."""

from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLError,
)
from graphql.error import located_error

from engine.completion import Abstract, ListOf, NonNull, Object
from engine.run import Failed, Run

if TYPE_CHECKING:
    from engine.plan import FieldPlan, ObjectPlan


class Null(Exception):
    """A value failed, and its type allows no null: its parent is null instead."""


class Settling:
    """Walks through the data of a run in the order of the response, as an execution one by one would have."""

    def __init__(self, run: Run) -> None:
        self.errors: list[GraphQLError] = []
        self._plans = {id(row): plan for rows, plan in run.kinds for row in rows}

    def row(self, plan: "ObjectPlan", row: dict[str, Any], path: list[str | int]) -> None:
        """Settle the fields of a row. Raises `Null`."""
        for field in plan.fields:
            self.field(field, row, path)

    def field(self, field: "FieldPlan", row: dict[str, Any], path: list[str | int]) -> None:
        """Settle one field of a row. Raises `Null`."""
        row[field.key] = self._value(field, field.completer, row[field.key], [*path, field.key])

    def _value(self, field: "FieldPlan", completer: Any, value: Any, path: list[str | int]) -> Any:
        if isinstance(completer, NonNull):
            settled = self._value(field, completer.inner, value, path)
            if settled is None:
                raise Null
            return settled
        if isinstance(value, Failed):
            self.errors.append(located_error(value.error, field.nodes, path))
            return None
        if value is None:
            return None
        try:
            if isinstance(completer, ListOf):
                return [self._value(field, completer.inner, item, [*path, index]) for index, item in enumerate(value)]
            if isinstance(completer, Object):
                self.row(completer.plan, value, path)
            elif isinstance(completer, Abstract):
                self.row(self._plans[id(value)], value, path)
        except Null:
            return None
        return value
