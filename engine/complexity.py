"""Query complexity: the size and cost of an operation, computed in one pass over its document, and their limits."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_input_object_type,
    is_list_type,
)

CEILING = 10**9
"""The cap of every measure, far above every limit."""

LIST_SIZE = 8
"""The assumed length of a list of unknown size, such as those of introspection."""

CHANGE = 10
"""The cost of a mutation field, in addition to the cost of its selection."""

PAGE = 10
"""The cost of a page, in addition to its rows: each page is part of a statement and has to be assembled."""

COST = "cost"
"""The key of a field's cost in its extensions; a field without the key costs 1."""


@dataclass(frozen=True)
class Limits:
    """The limits of one operation."""

    characters: int = 200_000
    """Characters of the document. Long texts belong in the variables, which need no parsing."""
    lines: int = 5_000
    tokens: int = 3_000
    comments: int = 500
    name: int = 200
    """Characters of each name: responses, errors, logs and metrics repeat names."""
    selections: int = 6_000
    """Selections of all operations in the document, each with the fragments that it spreads."""
    fragments: int = 100
    """Fragments and other operations in the document; inline fragments have the same limit of their own."""
    depth: int = 20
    """Nested fields."""
    list_depth: int = 5
    """Nested lists."""
    aliases: int = 50
    """Aliased fields, and fields that a selection repeats."""
    root_fields: int = 20
    directives: int = 50
    cost: int = 50_000
    """Fields that the response can hold, weighted by their cost."""
    errors: int = 50
    """Errors listed in a response."""
    page_size: int = 20
    """Items of a page if the operation does not specify a size."""
    largest_page: int = 500
    """The largest page and the longest list of ids. The schema refuses larger ones, so a larger size costs no more."""
    list_entries: int = 10_000
    """Entries of any other list that is the value of a variable."""


class Measure(NamedTuple):
    """The measure of a selection, which includes a fragment as often as it is spread."""

    width: int = 0
    """Fields of the selection, without nested ones."""
    own: int = 0
    """Fields of `width` that the schema defines, which excludes introspection."""
    depth: int = 0
    list_depth: int = 0
    aliases: int = 0
    directives: int = 0
    inline: int = 0
    """Inline fragments."""
    cost: int = 0
    row_cost: int = 0
    """The cost per row of the enclosing page, from the lists in the selection that specify no size."""

    def beside(self, other: "Measure") -> "Measure":
        """Return the measure of both in one selection."""
        return Measure(
            min(self.width + other.width, CEILING),
            min(self.own + other.own, CEILING),
            max(self.depth, other.depth),
            max(self.list_depth, other.list_depth),
            min(self.aliases + other.aliases, CEILING),
            min(self.directives + other.directives, CEILING),
            min(self.inline + other.inline, CEILING),
            min(self.cost + other.cost, CEILING),
            min(self.row_cost + other.row_cost, CEILING),
        )

    def cost_of(self, rows: int) -> int:
        """Return the cost of the selection in a page of `rows` rows."""
        return min(self.cost + rows * self.row_cost, CEILING)


@dataclass(frozen=True)
class LimitExceeded:
    """A limit that an operation exceeds."""

    code: str
    what: str
    requested: int
    limit: int


class PageSizes:
    """The page sizes of an operation, and the names of the variables that specify them."""

    def __init__(
        self, variables: Iterable[VariableDefinitionNode], values: Mapping[str, Any], largest: int = Limits.largest_page
    ) -> None:
        self._largest = largest
        self.names: set[str] = set()
        self._values = values
        self._defaults = {definition.variable.name.value: definition.default_value for definition in variables}

    def of(self, node: ValueNode | None) -> int | None:
        """Return the size that a literal or a variable specifies, or None if it specifies no size."""
        match node:
            case VariableNode():
                name = node.name.value
                self.names.add(name)
                return (
                    size(self._values[name], self._largest)
                    if name in self._values
                    else self.of(self._defaults.get(name))
                )
            case IntValueNode():
                return size(int(node.value) if len(node.value) < 10 else self._largest, self._largest)
            case ListValueNode():
                return size(node.values, self._largest)
        return None


def size(value: object, largest: int) -> int | None:
    """Return the size that a value specifies, a number or the length of a list, or None if it specifies none.

    A size is capped at `largest`.
    """
    match value:
        case bool():
            return None
        case int() | float():
            return int(min(max(value, 0), largest))
        case list() | tuple():
            return min(len(value), largest)
    return None


class TooManySelections(Exception):
    """The operations of a document have more selections than the limit allows."""


class ComplexityAnalyzer:
    """Measures the operations of a document; a fragment is measured once for each operation.

    The document need not be valid: an unknown field counts as a plain field.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, limits: Limits = Limits()) -> None:
        """Take a document, of which at most `limits.selections` selections are measured."""
        self._limits = limits
        self._schema = schema
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._left = limits.selections
        self._sizes = PageSizes((), {}, self._limits.largest_page)
        self._known: dict[str, Measure] = {}
        self._spread_by_now: set[str] = set()

    def operation(self, operation: OperationDefinitionNode, sizes: PageSizes) -> Measure:
        """Measure an operation with its page sizes. Raises `TooManySelections`."""
        self._sizes, self._known = sizes, {}
        root = self._schema.get_root_type(operation.operation)
        measured = self._selection(operation.selection_set, root)
        variables = sum(len(definition.directives or ()) for definition in operation.variable_definitions or ())
        measured = measured.beside(Measure(directives=len(operation.directives or ()) + variables))
        changes = measured.width if operation.operation is OperationType.MUTATION else 0
        return measured._replace(cost=min(measured.cost_of(LIST_SIZE) + CHANGE * changes, CEILING), row_cost=0)

    def fragments(self) -> Iterator[Measure]:
        """Measure the fragments that no operation spreads; validation visits them too. Raises `TooManySelections`."""
        self._sizes, self._known = PageSizes((), {}, self._limits.largest_page), {}
        for name in self._fragments.keys() - self._spread_by_now:
            yield self._spread(name)._replace(width=0)

    def _selection(self, selection: SelectionSetNode, parent: GraphQLCompositeType | None) -> Measure:
        self._left -= len(selection.selections)
        if self._left < 0:
            raise TooManySelections
        total, seen = Measure(), set()
        for node in selection.selections:
            match node:
                case FieldNode():
                    shown_as = (node.alias or node.name).value
                    again = shown_as in seen
                    seen.add(shown_as)
                    part = self._field(node, parent)
                    if again or node.alias:
                        part = part._replace(aliases=part.aliases + 1)
                case FragmentSpreadNode():
                    part = self._spread(node.name.value)
                case InlineFragmentNode():
                    condition = node.type_condition
                    within = self._type(condition.name.value) if condition else parent
                    part = self._selection(node.selection_set, within)
                    part = part._replace(inline=min(part.inline + 1, CEILING))
            total = total.beside(part)
            if node.directives:
                total = total.beside(Measure(directives=len(node.directives)))
        return total

    def _spread(self, name: str) -> Measure:
        fragment = self._fragments.get(name)
        if fragment is None:
            return Measure()  # validation reports it
        if name not in self._known:
            self._known[name] = Measure()  # for a fragment that spreads itself, which validation refuses
            self._spread_by_now.add(name)
            measured = self._selection(fragment.selection_set, self._type(fragment.type_condition.name.value))
            self._known[name] = measured.beside(Measure(directives=len(fragment.directives or ())))
        return self._known[name]

    def _field(self, node: FieldNode, parent: GraphQLCompositeType | None) -> Measure:
        field = self._schema.get_field(parent, node.name.value) if parent else None
        own = 0 if node.name.value.startswith("__") else 1
        weight = field.extensions.get(COST, 1) if field else 1
        if node.selection_set is None:
            return Measure(width=1, own=own, depth=1, cost=weight)
        kind = get_named_type(field.type) if field else None
        inner = self._selection(node.selection_set, kind if is_composite_type(kind) else None)
        rows = self._rows(node, field) if field else None
        is_list = field is not None and is_list_type(get_nullable_type(field.type))
        cost, row_cost = inner.cost_of(LIST_SIZE if rows is None or is_list else rows), 0
        if is_list and rows is not None:
            cost = rows * (weight + cost)
        elif is_list:
            cost, row_cost = 0, min(weight + cost, CEILING)
        elif rows is not None:
            cost = PAGE + max(rows, cost)  # the rows are read, whatever is selected
        else:
            cost = weight + cost
        return inner._replace(
            width=1,
            own=own,
            depth=inner.depth + 1,
            list_depth=inner.list_depth + is_list,
            cost=min(cost, CEILING),
            row_cost=row_cost,
        )

    def _rows(self, node: FieldNode, field: GraphQLField) -> int | None:
        # The length of the lists directly below the field, or of the field itself; None if it is not specified.
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        for name, argument in field.args.items():
            is_list = is_list_type(get_nullable_type(argument.type))
            if is_list and not is_input_object_type(get_named_type(argument.type)):  # one result for each entry
                return self._sizes.of(given.get(name))
        if "first" not in field.args:
            return None
        asked = [self._sizes.of(given.get(name)) for name in ("first", "last")]
        return max((size for size in asked if size is not None), default=self._limits.page_size)

    def _type(self, name: str) -> GraphQLCompositeType | None:
        found = self._schema.get_type(name)
        return found if is_composite_type(found) else None


def excesses(measure: Measure, limits: Limits) -> Iterable[LimitExceeded]:
    """Yield the limits that a measure exceeds, except that of the cost, which depends on the variables."""
    for code, what, requested, limit in (
        ("MAX_DEPTH_EXCEEDED", "nested fields", measure.depth, limits.depth),
        ("MAX_LIST_DEPTH_EXCEEDED", "nested lists", measure.list_depth, limits.list_depth),
        ("MAX_ALIASES_EXCEEDED", "aliases and repeated fields", measure.aliases, limits.aliases),
        ("MAX_FRAGMENTS_EXCEEDED", "inline fragments", measure.inline, limits.fragments),
        ("MAX_ROOT_FIELDS_EXCEEDED", "root fields", measure.width, limits.root_fields),
        ("MAX_DIRECTIVES_EXCEEDED", "directives", measure.directives, limits.directives),
    ):
        if requested > limit:
            yield LimitExceeded(code, what, requested, limit)
