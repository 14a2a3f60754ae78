"""The schema: assembled from its roots, then simplified for cheap execution by graphql-core."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any, cast, get_args, get_type_hints

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    Undefined,
    is_input_object_type,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.types.field import StrawberryField
from strawberry.types.union import StrawberryUnion

from db.ids import with_prefix
from engine.complexity import COST
from engine.declarations import ATTRIBUTE, BATCH, CLASSES, READS
from resolvers.arguments import Prefixed
from schema.roots import Mutation, Query, Subscription
from schema.scalars import SCALARS
from schema.view import BATCHED, EVENT

RULES = (MaybeNullValidationRule,)
"""The validation rules that Strawberry's inputs need beyond those of the specification."""

DESCRIPTION = """A chat in the margin of every section of every document.

A document is an ordered arrangement of sections, and a section can be placed in several documents. Each section has at
most one chat: ensureSectionChat returns it, and opens it on first use. Mutations return a union of a success type and
typed errors that implement the interface Error. Lists are Relay connections with cursors."""


@cache
def build_schema() -> strawberry.Schema:
    """Build the schema; a process builds it once, on the first call.

    Raises `TypeError` for a field that declares permissions or extensions, because nothing would apply them.
    """
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(sort_schema=True, scalar_map=SCALARS),
    )
    schema._schema.description = DESCRIPTION
    # Strawberry's own resolver fails for lists and non-null types, because these have no extensions.
    introspected = cast(GraphQLObjectType, schema._schema.type_map["__Type"])
    introspected.fields["isOneOf"].resolve = lambda kind, _info: kind.is_one_of if is_input_object_type(kind) else None
    for kind in schema._schema.type_map.values():
        if isinstance(kind, GraphQLObjectType):
            _simplify(schema, kind)
        elif isinstance(kind, GraphQLUnionType):
            _list_success_first(schema, kind)
        elif isinstance(kind, GraphQLInputObjectType) and not kind.name.startswith("__"):
            _make_of_values(schema, kind)
        elif isinstance(kind, GraphQLEnumType) and not kind.name.startswith("__"):
            _take_members(schema, kind)
    return schema


def graphql_schema() -> GraphQLSchema:
    """Return the schema as graphql-core has it: `python -m engine explain schema.build:graphql_schema FILE`."""
    return build_schema()._schema


def sdl() -> str:
    """Return the schema in SDL, as committed in `schema.graphql`."""
    # Strawberry's printer omits the description of the schema itself.
    roots = "schema {\n  query: Query\n  mutation: Mutation\n  subscription: Subscription\n}"
    # @oneOf belongs to the specification, so its definition is left out, as that of @skip is.
    types = build_schema().as_str().replace("directive @oneOf on INPUT_OBJECT\n\n", "")
    return f'"""\n{DESCRIPTION}\n"""\n{roots}\n\n{types}\n'


def _simplify(schema: strawberry.Schema, kind: GraphQLObjectType) -> None:
    """Let graphql-core read attributes and call resolvers directly.

    Strawberry calls several functions for each field, which took a tenth of the time of a hot ensure. Our resolvers
    only use the context of `info`, and graphql-core's `info` has it too.
    """
    definition = schema.get_type_by_name(kind.name)
    if represents := getattr(getattr(definition, "origin", None), "represents", None):
        kind.extensions[CLASSES] = (represents,)
    for field in getattr(definition, "fields", ()):
        if field.permission_classes or field.extensions:
            raise TypeError(f"{kind.name}.{field.python_name} has permissions or extensions, which nothing applies")
        ours = kind.fields[schema.config.name_converter.get_graphql_name(field)]
        ours.extensions[COST] = field.metadata.get(COST, 1)
        _leave_out_null_defaults(ours)
        _name_arguments(schema, field, ours)
        if field.base_resolver is None:
            ours.extensions[ATTRIBUTE] = field.python_name
        elif field.metadata.get(BATCHED):
            ours.extensions[BATCH] = _resolver(field.base_resolver.wrapped_func)
            ours.extensions[READS] = field.metadata[READS]
        elif field.is_subscription:
            ours.subscribe = _of_root(field.base_resolver.wrapped_func)
            ours.resolve = _resolver(field.metadata[EVENT])
        else:
            ours.resolve = _of_root(field.base_resolver.wrapped_func)


def _take_members(schema: strawberry.Schema, kind: GraphQLEnumType) -> None:
    """Let resolvers get the members of an enum: `sort_schema` has left their values only.

    A stored value equals its member, so graphql-core finds the name of either.
    """
    members = cast(Any, schema.get_type_by_name(kind.name)).wrapped_cls
    for name, value in kind.values.items():
        value.value = members[name]
    vars(kind).pop("_value_lookup", None)


def _make_of_values(schema: strawberry.Schema, kind: GraphQLInputObjectType) -> None:
    """Let graphql-core make the object that an input type declares, as Strawberry's resolvers would."""
    declared = cast(Any, schema.get_type_by_name(kind.name))
    kind.is_one_of = declared.is_one_of  # Strawberry keeps it to itself, and checks it where we call no code of it
    for field in declared.fields:
        kind.fields[schema.config.name_converter.get_graphql_name(field)].out_name = field.python_name
    kind.out_type = partial(_made_of, declared.origin)  # type: ignore[method-assign]


def _made_of(kind: Callable[..., Any], value: dict[str, Any]) -> Any:
    return kind(**value)


def _leave_out_null_defaults(field: GraphQLField) -> None:
    # Absent is not null: the default of the resolver defines what an absent argument means.
    for argument in field.args.values():
        if argument.default_value is None:
            argument.default_value = Undefined


def _list_success_first(schema: strawberry.Schema, union: GraphQLUnionType) -> None:
    # `sort_schema` sorted the members; this restores the declared order.
    declared = cast(StrawberryUnion, schema.get_type_by_name(union.name))
    order = [cast(Any, member).__strawberry_definition__.name for member in declared.types]
    union.types = tuple(sorted(union.types, key=lambda member: order.index(member.name)))


def _name_arguments(schema: strawberry.Schema, field: StrawberryField, ours: GraphQLField) -> None:
    for argument in field.arguments:
        ours.args[schema.config.name_converter.get_graphql_name(argument)].out_name = argument.python_name


def _resolver(resolve: Any) -> Callable[..., Any]:
    """Return a resolver that gets the ids among its arguments with their prefixes."""
    prefixes = dict(_prefixes(resolve))
    if not prefixes:
        return cast(Callable[..., Any], resolve)
    return lambda *given, **arguments: resolve(*given, **_with_prefixes(prefixes, arguments))


def _of_root(resolve: Any) -> Callable[..., Any]:
    """Return the resolver of a root field, which takes no parent."""
    resolver = _resolver(resolve)
    return lambda _root, info, **arguments: resolver(info, **arguments)


def _prefixes(resolve: Any) -> Iterator[tuple[str, str]]:
    for name, annotation in get_type_hints(resolve, include_extras=True).items():
        for part in get_args(annotation):
            if isinstance(part, Prefixed):
                yield name, part.prefix


def _with_prefixes(prefixes: Mapping[str, str], arguments: dict[str, Any]) -> dict[str, Any]:
    for name, prefix in prefixes.items():
        match arguments.get(name):
            case str(given):
                arguments[name] = with_prefix(prefix, given)
            case list(several):
                arguments[name] = [with_prefix(prefix, given) for given in several]
    return arguments
