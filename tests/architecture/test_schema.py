"""The schema: committed, described, and every type a view of what its resolvers return."""

import types
from collections.abc import AsyncIterator, Awaitable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_non_null_type,
)
from strawberry.types.field import StrawberryField

from schema.build import build_schema, sdl
from schema.view import EVENT, View
from services import outcomes

ROOT = Path(__file__).parents[2]

SCHEMA = build_schema()
TYPES: dict[str, Any] = {
    name: kind
    for name, kind in SCHEMA._schema.type_map.items()
    if not name.startswith("__") and name not in ("Boolean", "Float", "ID", "Int", "String")
}
ROOTS = ("Query", "Mutation", "Subscription")


def definition(name: str) -> Any:
    """Return what Strawberry knows of a type."""
    return SCHEMA.schema_converter.type_map[name].definition


OBJECTS = [name for name, kind in TYPES.items() if isinstance(kind, GraphQLObjectType)]
VIEWS: dict[str, type[View]] = {name: definition(name).origin for name in OBJECTS if name not in ROOTS}


def test_the_committed_schema_is_the_one_of_the_code() -> None:
    assert (ROOT / "schema.graphql").read_text() == sdl(), "run: make fix"


def test_everything_has_a_description() -> None:
    bare = []
    for name, kind in TYPES.items():
        if not kind.description:
            bare.append(name)
        values = kind.values if isinstance(kind, GraphQLEnumType) else {}
        bare += [f"{name}.{value}" for value, meaning in values.items() if not meaning.description]
        fields = kind.fields if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) else {}
        for field, definition in fields.items():
            if not definition.description:
                bare.append(f"{name}.{field}")
            bare += [f"{name}.{field}({arg})" for arg, given in definition.args.items() if not given.description]
    assert bare == []


def test_root_fields_are_nullable() -> None:
    for root in ROOTS:
        for name, field in TYPES[root].fields.items():
            assert not is_non_null_type(field.type), name


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_represents_something_that_has_what_it_shows(name: str) -> None:
    view = VIEWS[name]
    assert issubclass(view, View)
    shown = {*dir(view.represents), *get_type_hints(view.represents)}
    for field in fields_of(name):
        if field.base_resolver is None:
            assert field.python_name in shown, f"{view.represents} has no {field.python_name}"


@pytest.mark.parametrize("name", OBJECTS)
def test_every_resolver_returns_what_its_type_shows(name: str) -> None:
    for field in fields_of(name):
        if field.base_resolver is not None:
            promised = shown_by(get_named_type(TYPES[name].fields[graphql_name(field)].type))
            resolver = field.metadata.get(EVENT) or field.base_resolver.wrapped_func
            assert classes(get_type_hints(resolver)["return"]) == promised, f"{name}.{field.python_name}"


def test_every_outcome_is_an_error_that_clients_see() -> None:
    shown = {view.represents for view in VIEWS.values()}
    ours = {value for value in vars(outcomes).values() if isinstance(value, type) and hasattr(value, "code")}
    assert len(ours) == len(outcomes.ErrorCode)
    assert ours <= shown
    for outcome in ours:
        name = outcome.__name__
        assert TYPES["Error"] in TYPES[name].interfaces, name
        # The code is the name in capitals.
        assert outcome.code.replace("_", "").lower() == name.lower()


def test_the_success_comes_first_in_every_result() -> None:
    for name, kind in TYPES.items():
        if isinstance(kind, GraphQLUnionType):
            first, *others = (member.__name__ for member in definition(name).types)
            assert TYPES["Error"] not in getattr(TYPES[first], "interfaces", ()), name
            assert all(TYPES["Error"] in TYPES[other].interfaces for other in others), name


def test_only_nodes_have_an_id() -> None:
    """A normalised cache keys by `id`: an error or a payload with one would overwrite the entity that has it."""
    for name, kind in TYPES.items():
        if isinstance(kind, GraphQLObjectType) and "id" in kind.fields:
            assert TYPES["Node"] in kind.interfaces, name


def test_the_success_of_a_mutation_is_a_payload() -> None:
    for name, field in TYPES["Mutation"].fields.items():
        success = get_named_type(field.type).types[0]
        if name != "ensureSectionChat":
            assert TYPES["Node"] not in success.interfaces, name
            assert success.name in (f"{name[0].upper()}{name[1:]}Success", "Examination"), name


def test_an_event_says_when_and_who() -> None:
    for name, field in TYPES["Subscription"].fields.items():
        event = get_named_type(field.type)
        assert TYPES["Node"] not in event.interfaces, name
        assert str(event.fields["at"].type) == "DateTime!", name
        assert str(event.fields["actor"].type) == "User!", name


def test_people_are_objects() -> None:
    for name, kind in TYPES.items():
        fields = kind.fields if isinstance(kind, GraphQLObjectType) else {}
        for field in fields.keys() & {"author", "actor", "createdBy", "editedBy", "resolvedBy", "deletedBy"}:
            assert get_named_type(fields[field].type) is TYPES["User"], f"{name}.{field}"


def test_every_connection_can_be_paged_both_ways_and_counted() -> None:
    for name, kind in TYPES.items():
        for field, definition in (kind.fields if isinstance(kind, GraphQLObjectType) else {}).items():
            if get_named_type(definition.type).name.endswith("Connection"):
                assert {"first", "after", "last", "before"} <= definition.args.keys(), f"{name}.{field}"
                assert "totalCount" in get_named_type(definition.type).fields, f"{name}.{field}"


def test_an_optional_argument_is_absent_and_not_null() -> None:
    for name, kind in TYPES.items():
        for field, definition in (kind.fields if isinstance(kind, GraphQLObjectType) else {}).items():
            for argument, given in definition.args.items():
                assert given.default_value is not None, f"{name}.{field}({argument})"


def test_a_nullable_field_says_when_it_is_null() -> None:
    silent = [
        f"{name}.{field}"
        for name, kind in TYPES.items()
        if isinstance(kind, GraphQLObjectType) and name not in ROOTS
        for field, definition in kind.fields.items()
        if not is_non_null_type(definition.type) and "null" not in definition.description.lower()
    ]
    assert silent == []


def test_fields_of_one_name_can_be_selected_beside_each_other() -> None:
    """GraphQL refuses `... on A { x } ... on B { x }` where the two have other types, and nullability counts.

    Objects of two types may stand beside each other, if all their fields may.
    """
    for name, kind in TYPES.items():
        if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
            for one, other in combinations(SCHEMA._schema.get_possible_types(kind), 2):
                assert conflicts(one, other) == [], name


def conflicts(one: GraphQLObjectType, other: GraphQLObjectType, known: tuple[str, ...] = ()) -> list[str]:
    """Return the fields of two types that cannot be selected beside each other."""
    found = []
    for field in one.fields.keys() & other.fields.keys():
        here, there = one.fields[field].type, other.fields[field].type
        if str(here) == str(there):
            continue
        a, b = get_named_type(here), get_named_type(there)
        are_objects = isinstance(a, GraphQLObjectType) and isinstance(b, GraphQLObjectType)
        if not are_objects or str(here).replace(a.name, "") != str(there).replace(b.name, ""):
            found.append(field)
        elif (pair := f"{a.name} {b.name}") not in known:
            found += conflicts(a, b, (*known, pair))
    return found


def fields_of(name: str) -> list[StrawberryField]:
    fields: list[StrawberryField] = definition(name).fields
    return fields


def graphql_name(field: StrawberryField) -> str:
    return SCHEMA.config.name_converter.get_graphql_name(field)


def classes(annotation: Any) -> set[type]:
    """Flatten an annotation to the classes in it: `list[A | None] | B[C]` gives A and B."""
    if get_origin(annotation) in (Union, types.UnionType, list, Sequence, AsyncIterator, Awaitable):
        return set().union(*(classes(part) for part in get_args(annotation)))
    # An exception in place of a value is a fault of that field.
    return set() if annotation in (type(None), Exception, BaseException) else {get_origin(annotation) or annotation}


def shown_by(kind: Any) -> set[type]:
    if isinstance(kind, GraphQLObjectType):
        return {VIEWS[kind.name].represents}
    if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
        return set().union(*(shown_by(possible) for possible in SCHEMA._schema.get_possible_types(kind)))
    if isinstance(kind, GraphQLEnumType):
        return {definition(kind.name).wrapped_cls}
    return {{"String": str, "Int": int, "Boolean": bool}[kind.name]}
