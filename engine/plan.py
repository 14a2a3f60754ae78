"""Plans: an operation compiled for one schema, as often executed as it is sent.

Fields are merged, fragments and type conditions resolved for each object type, directives decided, literal arguments
coerced. Plans of object types are made when the first value of the type is met.
"""

from asyncio import gather
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    default_field_resolver,
    default_type_resolver,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.pyutils import inspect

from engine.arguments import Arguments
from engine.completion import Abstract, Column, Completer, Leaf, ListOf, NonNull, Object
from engine.declarations import ATTRIBUTE, BATCH, CLASSES
from engine.directives import Choices, is_included
from engine.rows import Rows, rows_of
from engine.run import Run
from engine.selection import Selection, selection


class Info:
    """The information that a resolver gets about its field: graphql-core's `GraphQLResolveInfo` without the path."""

    __slots__ = ("_field", "_run")

    def __init__(self, run: Run, field: "FieldPlan") -> None:
        self._run = run
        self._field = field

    @property
    def context(self) -> Any:
        """The context of the operation."""
        return self._run.context

    @property
    def root_value(self) -> Any:
        """The root value of the operation."""
        return self._run.root

    @property
    def variable_values(self) -> Mapping[str, Any]:
        """The coerced variables of the operation."""
        return self._run.variables.coerced

    @property
    def field_name(self) -> str:
        """The name of the field in the schema."""
        return self._field.name

    @property
    def field_nodes(self) -> Sequence[FieldNode]:
        """The nodes of the field in the document: several, if it was merged."""
        return self._field.nodes

    @property
    def parent_type(self) -> GraphQLObjectType:
        """The type that has the field."""
        return self._field.parent

    @property
    def return_type(self) -> GraphQLOutputType:
        """The type of the field."""
        return self._field.definition.type

    @property
    def schema(self) -> GraphQLSchema:
        """The schema."""
        return self._field.plan.schema

    @property
    def operation(self) -> OperationDefinitionNode:
        """The operation."""
        return self._field.plan.operation

    @property
    def fragments(self) -> Mapping[str, FragmentDefinitionNode]:
        """The fragments of the document."""
        return self._field.plan.fragments


class FieldPlan:
    """A field of an object type, with its arguments, its resolver and the completion of its type."""

    def __init__(
        self,
        plan: "Plan",
        parent: GraphQLObjectType,
        key: str,
        nodes: Sequence[FieldNode],
        definition: GraphQLField,
    ) -> None:
        self.plan = plan
        self.parent = parent
        self.key = key
        self.nodes = nodes
        self.definition = definition
        self.name = nodes[0].name.value
        self.attribute: str | None = definition.extensions.get(ATTRIBUTE)
        self._batch: Callable[..., Any] | None = definition.extensions.get(BATCH)
        self._resolve = definition.resolve or default_field_resolver
        self._arguments = Arguments(definition, nodes[0])

    @property
    def is_batched(self) -> bool:
        """Whether its resolver takes all parents of a level."""
        return self._batch is not None

    def __str__(self) -> str:
        return f"{self.parent.name}.{self.name}"

    @cached_property
    def completer(self) -> Completer:
        """Completes what the resolver returns."""
        return self.plan.completer(self, self.definition.type)

    def complete(self, run: Run, values: Column) -> list[Any]:
        """Return the values as the response holds them."""
        return self.completer.complete(run, values)

    def fill(self, run: Run, rows: Sequence[dict[str, Any]], results: Column) -> None:
        """Complete results of the field, and put them into the rows of their parents."""
        key = self.key
        for row, value in zip(rows, self.complete(run, results), strict=True):
            row[key] = value

    def call(self, run: Run, parents: Sequence[Any]) -> Any:
        """Return one result for each parent, or an awaitable of them. Raises whatever the resolver raises."""
        arguments = self._arguments.of(run.variables)
        if self._batch is not None:
            return self._batch(Info(run, self), parents, **arguments)
        if len(parents) == 1:  # as at the root: no task is needed
            result = self._resolve(parents[0], cast(Any, Info(run, self)), **arguments)
            return _in_list(result) if hasattr(result, "__await__") else [result]
        results = [self._one(run, parent, arguments) for parent in parents]
        return _gathered(results) if any(hasattr(result, "__await__") for result in results) else results

    async def subscribe(self, run: Run) -> AsyncGenerator[Any, None]:
        """Return the events of a root field of a subscription. Raises whatever its resolver raises."""
        resolve = self.definition.subscribe or default_field_resolver
        events = resolve(run.root, cast(Any, Info(run, self)), **self._arguments.of(run.variables))
        if hasattr(events, "__await__"):
            events = await events
        if not isinstance(events, AsyncIterable):
            raise GraphQLError(f"Subscription field must return AsyncIterable. Received: {inspect(events)}.")
        return cast(AsyncGenerator[Any, None], events)

    def _one(self, run: Run, parent: Any, arguments: Mapping[str, Any]) -> Any:
        try:
            return self._resolve(parent, cast(Any, Info(run, self)), **arguments)
        except Exception as error:
            return error


class ObjectPlan:
    """The fields that an operation selects of an object type."""

    def __init__(self, plan: "Plan", kind: GraphQLObjectType, selections: Iterable[SelectionSetNode]) -> None:
        self.kind = kind
        self.fields = plan.fields(kind, selections)
        self.classes: set[type] = set(kind.extensions.get(CLASSES, ()))
        """The classes whose instances are known to be of this type."""
        self._by_class = CLASSES in kind.extensions
        self._info = cast(Any, None)

    @cached_property
    def rows(self) -> Rows:
        """Makes a row for each value, and notes the steps that complete them."""
        return rows_of(self.kind.name, self.fields)

    def shows(self, run: Run, value: Any) -> bool:
        """Tell whether a value is of this type."""
        if self._by_class:
            is_shown = isinstance(value, tuple(self.kind.extensions[CLASSES]))
        elif self.kind.is_type_of is None:
            is_shown = True
        else:
            return bool(self.kind.is_type_of(value, self._info))
        if is_shown:
            self.classes.add(type(value))
        return is_shown


class Plan:
    """One operation, compiled under one choice of its directives."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        choices: Choices,
    ) -> None:
        self.schema = schema
        self.operation = operation
        self.fragments = fragments
        self._choices = choices

    @cached_property
    def root(self) -> ObjectPlan:
        """The plan of the root fields."""
        return ObjectPlan(self, self._kind, [self.operation.selection_set])

    @cached_property
    def _kind(self) -> GraphQLObjectType:
        kind = self.schema.get_root_type(self.operation.operation)
        if kind is None:
            raise GraphQLError(f"Schema is not configured to execute {self.operation.operation.value} operation.")
        return kind

    @cached_property
    def selection(self) -> Selection:
        """What the operation reads of the objects that it meets."""
        return selection(self, self._kind, [self.operation.selection_set])

    def merged(
        self, kind: GraphQLObjectType, selections: Iterable[SelectionSetNode]
    ) -> Mapping[str, Sequence[FieldNode]]:
        """Merge selections on an object type: the nodes of each key, in the order in which the keys come first."""
        merged: dict[str, list[FieldNode]] = {}
        spread: set[str] = set()
        for each in selections:
            self._collect(kind, each, merged, spread)
        return merged

    def fields(self, kind: GraphQLObjectType, selections: Iterable[SelectionSetNode]) -> Sequence[FieldPlan]:
        """Plan the fields of selections on an object type."""
        plans = []
        for key, nodes in self.merged(kind, selections).items():
            definition = self.schema.get_field(kind, nodes[0].name.value)
            if definition is not None:
                plans.append(FieldPlan(self, kind, key, nodes, definition))
        return plans

    def _collect(
        self, kind: GraphQLObjectType, selection: SelectionSetNode, merged: dict[str, list[FieldNode]], spread: set[str]
    ) -> None:
        for node in selection.selections:
            if not is_included(node, self._choices):
                continue
            if isinstance(node, FieldNode):
                merged.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
                continue
            fragment: Any = node
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in spread or name not in self.fragments:
                    continue
                spread.add(name)
                fragment = self.fragments[name]
            condition = fragment.type_condition
            if condition is None or self._applies(condition.name.value, kind):
                self._collect(kind, fragment.selection_set, merged, spread)

    def _applies(self, name: str, kind: GraphQLObjectType) -> bool:
        conditional = self.schema.get_type(name)
        return conditional is kind or (is_abstract_type(conditional) and self.schema.is_sub_type(conditional, kind))

    def completer(self, field: FieldPlan, kind: GraphQLOutputType) -> Completer:
        """Return what completes a column of a type."""
        place = f"{field.parent}.{field.name}"
        if is_non_null_type(kind):
            return NonNull(self.completer(field, kind.of_type), place)
        if is_list_type(kind):
            return ListOf(self.completer(field, kind.of_type), place)
        if is_leaf_type(kind):
            return Leaf(kind)
        selections = [node.selection_set for node in field.nodes if node.selection_set]
        if not is_abstract_type(kind):
            return Object(ObjectPlan(self, cast(GraphQLObjectType, kind), selections))
        possible = self.schema.get_possible_types(kind)
        known = {cls: one.name for one in possible for cls in one.extensions.get(CLASSES, ())}
        return Abstract(
            {one.name: partial(ObjectPlan, self, one, selections) for one in possible},
            lambda run, value: self._name_of(run, field, kind, value),
            known,
        )

    def _name_of(self, run: Run, field: FieldPlan, kind: GraphQLAbstractType, value: Any) -> str:
        """Return the name of the type of a value. Raises `GraphQLError` where it has none that is possible here."""
        resolve = kind.resolve_type or default_type_resolver
        name: Any = resolve(value, cast(Any, Info(run, field)), kind)
        place = f"{field.parent}.{field.name}"
        if name is None:
            raise GraphQLError(
                f"Abstract type '{kind}' must resolve to an Object type at runtime for field '{place}'. Either the"
                f" '{kind}' type should provide a 'resolve_type' function or each possible type should provide an"
                " 'is_type_of' function."
            )
        if not isinstance(name, str):
            raise GraphQLError(
                f"Abstract type '{kind}' must resolve to an Object type at runtime for field '{place}' with value"
                f" {inspect(value)}, received '{inspect(name)}', which is not a valid Object type name."
            )
        found = self.schema.get_type(name)
        if found is None:
            raise GraphQLError(
                f"Abstract type '{kind}' was resolved to a type '{name}' that does not exist inside the schema."
            )
        if not isinstance(found, GraphQLObjectType):
            raise GraphQLError(f"Abstract type '{kind}' was resolved to a non-object type '{name}'.")
        if not self.schema.is_sub_type(kind, found):
            raise GraphQLError(f"Runtime Object type '{found}' is not a possible type for '{kind}'.")
        return name


async def _in_list(result: Awaitable[Any]) -> list[Any]:
    return [await result]


async def _gathered(results: list[Any]) -> list[Any]:
    places = [index for index, result in enumerate(results) if hasattr(result, "__await__")]
    awaited = await gather(*(cast(Awaitable[Any], results[index]) for index in places), return_exceptions=True)
    for index, result in zip(places, awaited, strict=True):
        if isinstance(result, BaseException) and not isinstance(result, Exception):
            raise result
        results[index] = result
    return results
