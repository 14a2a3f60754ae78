"""Measures: how much an operation asks for, found in one pass over its text, and the limits it is held to."""

from collections.abc import Iterable, Mapping
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
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from services.inputs import LARGEST_SECTIONS_PAGE, NODES, PAGE_SIZE

CEILING = 10**9
"""No measure grows beyond this: it is enough to be far over every limit."""

LARGEST = max(LARGEST_SECTIONS_PAGE, NODES)
"""The most rows that any page gives; who asks for more is told so, and gets none."""

LIST_SIZE = 8
"""How many entries a list is taken to have when nothing says how many, as those of the schema about itself."""

CHANGE = 10
"""The weight of a field of a mutation, beside what is selected of its answer."""

WEIGHTS = {("Document", "markdown"): 100}
"""The weights of fields that cost more than the one that a field costs."""


@dataclass(frozen=True)
class Limits:
    """How much one operation may ask for."""

    characters: int = 200_000
    """Of its text. Longer texts belong into the variables, which cost nothing to take apart."""
    tokens: int = 3_000
    comments: int = 500
    fragments: int = 100
    """Fragments and other operations that are defined beside it; and as many inline fragments."""
    depth: int = 20
    """Fields within fields."""
    list_depth: int = 5
    """Lists within lists."""
    aliases: int = 50
    """Fields under another name, and fields that one selection names again."""
    root_fields: int = 20
    directives: int = 50
    cost: int = 50_000
    """The fields that its answer can hold, heavy ones counted more."""
    errors: int = 50
    """Of which an answer tells."""


class Measure(NamedTuple):
    """What a selection amounts to, with the fragments that it spreads, each as often as it is spread."""

    width: int = 0
    """Fields of the selection itself."""
    own: int = 0
    """Those of them that the schema defines, and not GraphQL itself."""
    depth: int = 0
    list_depth: int = 0
    aliases: int = 0
    directives: int = 0
    inline: int = 0
    """Inline fragments."""
    cost: int = 0

    def beside(self, other: "Measure") -> "Measure":
        """Return the measure of the two in one selection."""
        return Measure(
            min(self.width + other.width, CEILING),
            min(self.own + other.own, CEILING),
            max(self.depth, other.depth),
            max(self.list_depth, other.list_depth),
            min(self.aliases + other.aliases, CEILING),
            min(self.directives + other.directives, CEILING),
            min(self.inline + other.inline, CEILING),
            min(self.cost + other.cost, CEILING),
        )


@dataclass(frozen=True)
class Excess:
    """A limit that is passed."""

    code: str
    what: str
    requested: int
    limit: int


class Sizes:
    """The sizes of pages that an operation gives by variables, and which of its variables those are."""

    def __init__(self, operation: OperationDefinitionNode, values: Mapping[str, Any]) -> None:
        self.names: set[str] = set()
        self._values = values
        self._defaults = {
            definition.variable.name.value: definition.default_value
            for definition in operation.variable_definitions or ()
        }

    def of(self, node: ValueNode | None) -> int | None:
        """Return the size that a value means, by itself or by a variable; None: it says nothing."""
        match node:
            case VariableNode():
                name = node.name.value
                self.names.add(name)
                return size(self._values[name]) if name in self._values else self.of(self._defaults.get(name))
            case IntValueNode():
                return size(int(node.value) if len(node.value) < 10 else LARGEST)
            case ListValueNode():
                return size(node.values)
        return None


def size(value: object) -> int | None:
    """Return the size that a value means: a number, or how many entries a list has; None: it says nothing."""
    match value:
        case bool():
            return None
        case int() | float():
            return int(min(max(value, 0), LARGEST))
        case list() | tuple():
            return min(len(value), LARGEST)
    return None


def measure(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, sizes: Sizes) -> Measure:
    """Measure an operation. It need not be valid: what does not exist is taken for a plain field."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    measured = _Measuring(schema, fragments, sizes).operation(operation)
    if operation.operation is OperationType.MUTATION:
        return measured._replace(cost=min(measured.cost + CHANGE * measured.width, CEILING))
    return measured


def excesses(measure: Measure, limits: Limits) -> Iterable[Excess]:
    """Tell which limits a measure passes; its cost is held to its limit apart, because variables change it."""
    for code, what, requested, limit in (
        ("MAX_DEPTH_EXCEEDED", "fields within fields", measure.depth, limits.depth),
        ("MAX_LIST_DEPTH_EXCEEDED", "lists within lists", measure.list_depth, limits.list_depth),
        ("MAX_ALIASES_EXCEEDED", "aliases and repeated fields", measure.aliases, limits.aliases),
        ("MAX_FRAGMENTS_EXCEEDED", "inline fragments", measure.inline, limits.fragments),
        ("MAX_ROOT_FIELDS_EXCEEDED", "root fields", measure.width, limits.root_fields),
        ("MAX_DIRECTIVES_EXCEEDED", "directives", measure.directives, limits.directives),
    ):
        if requested > limit:
            yield Excess(code, what, requested, limit)


class _Measuring:
    """One pass over an operation; each fragment is measured once for each size of page that it is spread in."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], sizes: Sizes) -> None:
        self._schema = schema
        self._fragments = fragments
        self._sizes = sizes
        self._known: dict[tuple[str, int | None], Measure] = {}

    def operation(self, operation: OperationDefinitionNode) -> Measure:
        root = self._schema.get_root_type(operation.operation)
        measured = self._selection(operation.selection_set, root, None)
        variables = sum(len(definition.directives or ()) for definition in operation.variable_definitions or ())
        return measured.beside(Measure(directives=len(operation.directives or ()) + variables))

    def _selection(self, selection: SelectionSetNode, parent: GraphQLCompositeType | None, page: int | None) -> Measure:
        total, seen = Measure(), set()
        for node in selection.selections:
            match node:
                case FieldNode():
                    shown_as = (node.alias or node.name).value
                    again = shown_as in seen
                    seen.add(shown_as)
                    part = self._field(node, parent, page)
                    if again or node.alias:
                        part = part._replace(aliases=part.aliases + 1)
                case FragmentSpreadNode():
                    part = self._spread(node.name.value, page)
                case InlineFragmentNode():
                    condition = node.type_condition
                    within = self._type(condition.name.value) if condition else parent
                    part = self._selection(node.selection_set, within, page)
                    part = part._replace(inline=min(part.inline + 1, CEILING))
            total = total.beside(part)
            if node.directives:
                total = total.beside(Measure(directives=len(node.directives)))
        return total

    def _spread(self, name: str, page: int | None) -> Measure:
        fragment = self._fragments.get(name)
        if fragment is None:
            return Measure()  # validation says so
        if (name, page) not in self._known:
            self._known[name, page] = Measure()  # what a fragment holds of itself; validation refuses it
            within = self._type(fragment.type_condition.name.value)
            measured = self._selection(fragment.selection_set, within, page)
            self._known[name, page] = measured.beside(Measure(directives=len(fragment.directives or ())))
        return self._known[name, page]

    def _field(self, node: FieldNode, parent: GraphQLCompositeType | None, page: int | None) -> Measure:
        field = self._schema.get_field(parent, node.name.value) if parent else None
        name = parent.name if parent else ""
        own = 0 if node.name.value.startswith("__") else 1
        weight = WEIGHTS.get((name, node.name.value), 1)
        if node.selection_set is None:
            return Measure(width=1, own=own, depth=1, cost=weight)
        kind = get_named_type(field.type) if field else None
        of_page = self._page(node, field) if field else None
        inner = self._selection(node.selection_set, kind if is_composite_type(kind) else None, of_page)
        is_list = field is not None and is_list_type(get_nullable_type(field.type))
        times = (LIST_SIZE if page is None else page) if is_list else 1
        if is_list and of_page is not None:
            times = of_page  # a list that is told its size itself
        return Measure(
            width=1,
            own=own,
            depth=inner.depth + 1,
            list_depth=inner.list_depth + is_list,
            aliases=inner.aliases,
            directives=inner.directives,
            inline=inner.inline,
            cost=min(times * (weight + inner.cost), CEILING),
        )

    def _page(self, node: FieldNode, field: GraphQLField) -> int | None:
        # How many rows the lists directly beneath can have; None: the field does not say.
        given = {argument.name.value: argument.value for argument in node.arguments or ()}
        if "ids" in field.args:
            return self._sizes.of(given.get("ids"))
        if "first" not in field.args:
            return None
        asked = [self._sizes.of(given.get(name)) for name in ("first", "last")]
        return max((size for size in asked if size is not None), default=PAGE_SIZE)

    def _type(self, name: str) -> GraphQLCompositeType | None:
        found = self._schema.get_type(name)
        return found if is_composite_type(found) else None
