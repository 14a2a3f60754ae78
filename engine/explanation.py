"""Explanations: how an operation is executed, as text for people."""

from collections.abc import Iterator
from typing import Any

from graphql import VariableValues

from engine.completion import Abstract, ListOf, NonNull, Object
from engine.plan import FieldPlan, ObjectPlan
from engine.prepared_operation import PreparedOperation
from engine.rows import source_of


def explain(operation: PreparedOperation) -> str:
    """Return the generated source of each level, the resolvers between them, and the attributes that are read.

    Variables in directives count as true.
    """
    plan = operation.plan(VariableValues({}, dict.fromkeys(operation.choices, True)))
    lines = list(_level(plan.root, f"{operation.kind.value} {operation.name or ''}".rstrip(), 0))
    lines += ["", "reads"]
    for cls, attributes in sorted(plan.selection.items(), key=lambda item: item[0].__name__):
        lines.append(f"  {cls.__name__}: {', '.join(sorted(attributes)) or 'nothing'}")
    return "\n".join(lines) + "\n"


def _level(plan: ObjectPlan, title: str, depth: int) -> Iterator[str]:
    indent = "  " * depth
    yield f"{indent}{title}: {source_of(plan.kind.name, plan.fields)}"
    for field in plan.fields:
        inner = list(_objects(field.completer))
        if inner or not (field.attribute or field.name == "__typename"):
            yield f"{indent}  {field.key}: {_resolution(field)}"
        for each in inner:
            yield from _level(each, each.kind.name, depth + 2)


def _resolution(field: FieldPlan) -> str:
    if field.attribute:
        return f"the attribute {field.attribute}"
    return "one call with all parents" if field.is_batched else "one call for each parent"


def _objects(completer: Any) -> Iterator[ObjectPlan]:
    """Yield the plans of the object types that a field can return."""
    if isinstance(completer, NonNull | ListOf):
        yield from _objects(completer.inner)
    elif isinstance(completer, Object):
        yield completer.plan
    elif isinstance(completer, Abstract):
        yield from completer.plans()
