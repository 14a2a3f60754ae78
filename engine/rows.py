"""Rows: the dicts of a response, made for all values of a type at once.

Most fields are attributes whose value is already what the response holds. For these a function is generated that reads
them all in one comprehension; what it cannot take as it is, it hands to the completer of the field.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from engine.completion import Leaf, NonNull
from engine.run import Run

if TYPE_CHECKING:
    from engine.plan import FieldPlan

UNCHANGED = {"String": "str", "ID": "str", "Boolean": "bool", "Int": "int and -2147483648 <= v <= 2147483647"}
"""For each scalar, what the type of a value in Python has to be for the value to be the same in a response."""

Rows = Callable[[Run, Sequence[Any]], list[dict[str, Any]]]
"""Makes a row for each value of a type, and notes the steps that complete the rows."""


def rows_of(type_name: str, fields: Sequence["FieldPlan"]) -> Rows:
    """Return what makes the rows of a type."""
    make = _generated(type_name, fields)
    attributes = [field for field in fields if field.attribute and not _leaf(field)]
    resolved = [field for field in fields if not field.attribute and field.name != "__typename"]

    def rows(run: Run, values: Sequence[Any]) -> list[dict[str, Any]]:
        if not values:
            return []
        try:
            made = make(run, values)
        except Exception:  # an attribute cannot be read: find out which one, and let the others be
            made = [_one_by_one(run, type_name, fields, value) for value in values]
        for field in attributes:
            field.fill(run, made, [_read(value, field.attribute) for value in values])
        for field in resolved:
            run.later(field, values, made)
        return made

    return rows


def source_of(type_name: str, fields: Sequence["FieldPlan"]) -> str:
    """Return the source of the function that makes the rows of a type."""
    entries = []
    for number, field in enumerate(fields):
        if field.name == "__typename":
            value = repr(type_name)
        elif leaf := _leaf(field):
            value = f"c{number}(run, value.{field.attribute})"
            if unchanged := UNCHANGED.get(leaf.kind.name):
                value = f"v if type(v := value.{field.attribute}) is {unchanged} else c{number}(run, v)"
        else:
            value = "None"
        entries.append(f"{field.key!r}: {value}")
    return f"lambda run, values: [{{{', '.join(entries)}}} for value in values]"


def _generated(type_name: str, fields: Sequence["FieldPlan"]) -> Rows:
    names = {f"c{number}": _one(field) for number, field in enumerate(fields) if _leaf(field)}
    made: Rows = eval(source_of(type_name, fields), names)  # noqa: S307 - our own text: names of attributes and types
    return made


def _one_by_one(run: Run, type_name: str, fields: Sequence["FieldPlan"], value: Any) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in fields:
        if field.name == "__typename":
            row[field.key] = type_name
        elif _leaf(field):
            row[field.key] = _one(field)(run, _read(value, field.attribute))
        else:
            row[field.key] = None
    return row


def _read(value: Any, attribute: str | None) -> Any:
    try:
        return getattr(value, str(attribute))
    except Exception as error:
        return error


def _leaf(field: "FieldPlan") -> Leaf | None:
    """Return how the value of an attribute is coerced; None: it is no leaf."""
    completer = field.completer.inner if isinstance(field.completer, NonNull) else field.completer
    return completer if field.attribute and isinstance(completer, Leaf) else None


def _one(field: "FieldPlan") -> Callable[[Run, Any], Any]:
    """Return what completes one value of a leaf."""
    completer = field.completer
    if isinstance(completer, Leaf):
        return completer.one
    leaf, fail = completer.inner, completer.fail  # type: ignore[attr-defined] # a leaf that allows no null

    def one(run: Run, value: Any) -> Any:
        completed = leaf.one(run, value)
        return fail(run) if completed is None else completed

    return one
