"""The schema: the roots put together."""

from collections.abc import Callable
from inspect import signature
from typing import Any, cast

import strawberry
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    is_input_object_type,
    is_specified_scalar_type,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.types.field import StrawberryField

from schema.roots import Mutation, Query, Subscription
from schema.view import EVENT


def build_schema() -> strawberry.Schema:
    """Build the schema; everything in it is made here, nothing by import."""
    schema = strawberry.Schema(
        query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(sort_schema=True)
    )
    # Strawberry's own fails for lists and non-null types, which have no extensions.
    introspected = cast(GraphQLObjectType, schema._schema.type_map["__Type"])
    introspected.fields["isOneOf"].resolve = lambda kind, _info: kind.is_one_of if is_input_object_type(kind) else None
    for kind in schema._schema.type_map.values():
        if isinstance(kind, GraphQLObjectType):
            _shorten(schema, kind)
    return schema


def sdl() -> str:
    """Return the schema as clients know it, in the form of the committed `schema.graphql`."""
    return build_schema().as_str() + "\n"


def _shorten(schema: strawberry.Schema, kind: GraphQLObjectType) -> None:
    """Let graphql-core read attributes and call resolvers itself.

    Strawberry's way to them has several calls for each field, which took a tenth of the time of a hot ensure. All that
    our resolvers use of `info` is the context, which graphql-core's has as well.
    """
    definition = schema.get_type_by_name(kind.name)
    for field in getattr(definition, "fields", ()):
        ours = kind.fields[schema.config.name_converter.get_graphql_name(field)]
        if field.base_resolver is None:
            ours.resolve = _attribute(field.python_name)
        elif field.is_subscription:
            _name_arguments(schema, field, ours)
            ours.subscribe = _resolver(field.base_resolver.wrapped_func)
            ours.resolve = _resolver(field.metadata[EVENT])
        elif all(is_specified_scalar_type(get_named_type(argument.type)) for argument in ours.args.values()):
            # Other arguments, inputs and enums, are Strawberry's to convert.
            _name_arguments(schema, field, ours)
            ours.resolve = _resolver(field.base_resolver.wrapped_func)


def _attribute(name: str) -> Callable[..., Any]:
    return lambda source, _info: getattr(source, name)


def _name_arguments(schema: strawberry.Schema, field: StrawberryField, ours: GraphQLField) -> None:
    for argument in field.arguments:
        ours.args[schema.config.name_converter.get_graphql_name(argument)].out_name = argument.python_name


def _resolver(resolve: Any) -> Callable[..., Any]:
    if next(iter(signature(resolve).parameters)) == "root":
        return cast(Callable[..., Any], resolve)
    return lambda _root, info, **arguments: resolve(info, **arguments)
