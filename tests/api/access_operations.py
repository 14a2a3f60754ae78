"""Operations made from the schema: a root field with its arguments as variables, and all that can be selected."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
)

from schema.build import graphql_schema

SCHEMA = graphql_schema()
ROOTS: Mapping[str, GraphQLObjectType] = {
    kind: SCHEMA.type_map[kind.capitalize()]  # type: ignore[misc]
    for kind in ("query", "mutation", "subscription")
}
KINDS = {name: kind for kind, root in ROOTS.items() for name in root.fields}
"""The kind of operation of each root field."""

FIELDS: Mapping[str, GraphQLField] = {name: ROOTS[kind].fields[name] for name, kind in KINDS.items()}

UNLIMITED = {
    "rate_cost_per_minute": 0,
    "rate_writes_per_minute": 0,
    "max_cost": 10_000_000,
    "max_aliases": 5_000,
    "max_selections": 5_000,
    "max_tokens": 20_000,
    "max_lines": 5_000,
    "max_characters": 200_000,
}
"""The settings of a server that takes these operations."""

DEPTH = 1
"""The levels of objects that an operation selects below its root field."""


def arguments(field: GraphQLField) -> Mapping[str, str]:
    """Return the name of the type of each argument by its path; a list has the path of its first item."""

    def paths(name: str, given: Any) -> Iterator[tuple[str, str]]:
        named = get_named_type(given)
        path = f"{name}.0" if _is_list(given) else name
        if isinstance(named, GraphQLInputObjectType):
            for inner, each in named.fields.items():
                yield from paths(f"{path}.{inner}", each.type)
        else:
            yield path, named.name

    return {path: of for name, argument in field.args.items() for path, of in paths(name, argument.type)}


@cache
def operation(name: str, *given: str) -> str:
    """Return the operation with a root field and the arguments of these names, as variables."""
    field = FIELDS[name]
    variables = ", ".join(f"${argument}: {field.args[argument].type}" for argument in given)
    passed = ", ".join(f"{argument}: ${argument}" for argument in given)
    head = f"{KINDS[name]} ({variables})" if given else KINDS[name]
    call = f"{name}({passed})" if given else name
    return f"{head} {{ {call} {_selection(get_named_type(field.type), DEPTH)} }}"


def _selection(kind: GraphQLNamedType, depth: int) -> str:
    if is_leaf_type(kind):
        return ""
    if is_abstract_type(kind):
        parts = [f"... on {each.name} {{ {_fields(each, depth)} }}" for each in SCHEMA.get_possible_types(kind)]
        return f"{{ __typename {' '.join(parts)} }}"
    assert isinstance(kind, GraphQLObjectType)
    return f"{{ {_fields(kind, depth)} }}"


def _fields(kind: GraphQLObjectType, depth: int) -> str:
    """Return a selection of the fields without required arguments. An alias keeps types apart that share a union."""
    if "edges" in kind.fields:
        node = get_named_type(get_named_type(kind.fields["edges"].type).fields["node"].type)
        return f"totalCount edges {{ cursor node {{ {_fields(node, depth - 1)} }} }}"
    selected = ["__typename"]
    for name, field in kind.fields.items():
        named = get_named_type(field.type)
        if any(map(is_required_argument, field.args.values())) or (depth < 1 and not is_leaf_type(named)):
            continue
        alias = name if name in ("id", "code", "message") else f"{kind.name}_{name}: {name}"
        selected.append(f"{alias} {_selection(named, depth - (not _is_list(field.type)))}")
    return " ".join(selected)


def _is_list(kind: Any) -> bool:
    return is_list_type(get_nullable_type(kind))
