"""Selection: the attributes that an operation reads of the objects of each class; nothing else need be loaded."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, SelectionSetNode, get_named_type, is_abstract_type, is_object_type

from engine.declarations import ATTRIBUTE, CLASSES, READS

if TYPE_CHECKING:
    from engine.plan import Plan

Selection = Mapping[type, frozenset[str]]
"""For each class, the attributes that an operation reads of its instances, wherever it meets them."""


def selection(plan: "Plan", kind: GraphQLObjectType, selections: Iterable[SelectionSetNode]) -> Selection:
    """Return what the selections on an object type read, of its objects and of all beneath them."""
    found: dict[type, set[str]] = {}
    _Search(plan, found).visit(kind, tuple(selections))
    return MappingProxyType({cls: frozenset(attributes) for cls, attributes in found.items()})


class _Search:
    def __init__(self, plan: "Plan", found: dict[type, set[str]]) -> None:
        self._plan = plan
        self._found = found
        self._seen: set[Any] = set()

    def visit(self, kind: GraphQLObjectType, selections: tuple[SelectionSetNode, ...]) -> None:
        key = (kind.name, *map(id, selections))
        if key in self._seen:
            return
        self._seen.add(key)
        schema = self._plan.schema
        read = set[str]()
        for nodes in self._plan.merged(kind, selections).values():
            definition = schema.get_field(kind, nodes[0].name.value)
            if definition is None:
                continue
            if attribute := definition.extensions.get(ATTRIBUTE):
                read.add(attribute)
            read.update(definition.extensions.get(READS, ()))
            inner = tuple(node.selection_set for node in nodes if node.selection_set)
            shown: Any = get_named_type(definition.type)
            if is_abstract_type(shown):
                for each in schema.get_possible_types(shown):
                    self.visit(each, inner)
            elif is_object_type(shown):
                self.visit(shown, inner)
        for cls in kind.extensions.get(CLASSES, ()):
            self._found.setdefault(cls, set()).update(read)
