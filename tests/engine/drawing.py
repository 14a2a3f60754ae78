"""Drawing: schemas, data that resolvers return or raise, and operations, each made from one number."""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from engine.declarations import ATTRIBUTE, BATCH, CLASSES

DEPTH = 6
LEAVES = (GraphQLString, GraphQLInt, GraphQLBoolean, GraphQLFloat, GraphQLID)
COLOR = GraphQLEnumType("Color", {"RED": 1, "BLUE": "b"})
INPUT = GraphQLInputObjectType(
    "In", {"n": GraphQLInputField(GraphQLInt, default_value=7), "s": GraphQLInputField(GraphQLList(GraphQLString))}
)


class Thing:
    """An object: the name of its type, and for each field what its resolver makes of it, drawn when it is asked for."""

    def __init__(self, type_name: str, fields: Collection[str], draw: Callable[[str], Any]) -> None:
        self.type_name = type_name
        self._fields = fields
        self._draw = draw
        self._drawn: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in self._fields:
            raise AttributeError(name)
        if name not in self._drawn:
            self._drawn[name] = self._draw(name)
        return outcome(self._drawn[name])


@dataclass(frozen=True)
class Raised:
    """A field whose resolver raises."""

    text: str


def outcome(made: Any) -> Any:
    """Return what was made for a field, or raise."""
    if isinstance(made, Raised):
        raise LookupError(made.text)
    return made


@dataclass(frozen=True)
class Case:
    """One schema twice, for us and for graphql-core, an object at its root, and an operation with its variables."""

    ours: GraphQLSchema
    theirs: GraphQLSchema
    root: Thing
    text: str
    variables: dict[str, Any]
    is_sync: bool
    """Whether no resolver is asynchronous, so that there is one order in which fields fail."""


def draw(seed: int) -> Case:
    """Make a case of a number, always the same one."""
    made = _Drawing(random.Random(seed))  # noqa: S311 - to be made again from its seed
    text = made.operation()
    return Case(
        made.schema(ours=True),
        made.schema(ours=False),
        made.thing("Query", DEPTH),
        text,
        made.variables,
        made.is_sync,
    )


class _Drawing:
    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.variables: dict[str, Any] = {}
        self.is_sync = draw.random() < 0.4
        self.objects = [f"T{number}" for number in range(draw.randint(1, 4))]
        self.shared = {f"shared{number}": self._output(0.4) for number in range(2)}
        self.members = draw.sample(self.objects, draw.randint(1, len(self.objects)))
        self.by_class = draw.random() < 0.5
        self.fields = {
            name: {f"f{number}": self._output(0.75) for number in range(draw.randint(1, 5))}
            for name in ["Query", *self.objects]
        }
        for name in self.members:
            self.fields[name] |= self.shared
        self.ways = {
            (name, field): self._way(kind) for name, fields in self.fields.items() for field, kind in fields.items()
        }
        self._known = self.schema(ours=False)
        self._fragments: dict[str, str] = {}
        self._declared: dict[str, str] = {}

    # A type is drawn as text, because a schema needs types of its own.

    def _output(self, objects: float) -> str:
        draw = self.draw
        names = [*self.objects, "Any", "Shared"] if hasattr(self, "members") and self.members else self.objects
        kind = draw.choice(names) if draw.random() < objects * 0.6 else draw.choice([*map(str, LEAVES), "Color"])
        for _ in range(draw.choice([0, 0, 0, 1, 1, 2])):
            kind = f"[{kind}{draw.choice(['', '!'])}]"
        return kind + draw.choice(["", "", "!"])

    def _way(self, kind: str) -> str:
        ways = ["attribute", "attribute", "one", "batch"]
        return self.draw.choice(ways if self.is_sync else [*ways, "async one", "async batch"])

    def schema(self, *, ours: bool) -> GraphQLSchema:
        """Make the schema; in ours, fields have the attributes and resolvers that we know."""
        types: dict[str, Any] = {str(leaf): leaf for leaf in LEAVES} | {"Color": COLOR}

        def typed(text: str) -> Any:
            if text.endswith("!"):
                return GraphQLNonNull(typed(text[:-1]))
            return GraphQLList(typed(text[1:-1])) if text.startswith("[") else types[text]

        def resolve_type(value: Any, _info: Any, _kind: Any) -> Any:
            return value.type_name if isinstance(value, Thing) else None

        types["Shared"] = GraphQLInterfaceType(
            "Shared",
            lambda: {name: GraphQLField(typed(kind)) for name, kind in self.shared.items()},
            resolve_type=resolve_type,
        )
        for name in self.fields:
            types[name] = GraphQLObjectType(
                name,
                (lambda name=name: {field: self._field(name, field, typed, ours=ours) for field in self.fields[name]}),  # type: ignore[misc]
                interfaces=[types["Shared"]] if name in self.members else [],
                is_type_of=(lambda value, _info: isinstance(value, Thing)) if self.by_class else None,
                extensions={CLASSES: (Thing,)} if self.by_class and ours and name not in self.members else {},
            )
        types["Any"] = GraphQLUnionType("Any", [types[name] for name in self.members], resolve_type=resolve_type)
        return GraphQLSchema(types["Query"], types=list(types.values()))

    def _field(self, name: str, field: str, typed: Callable[[str], Any], *, ours: bool) -> GraphQLField:
        way = self.ways[name, field]
        extensions: dict[str, Any] = {}
        args = {
            "n": GraphQLArgument(GraphQLInt, default_value=3),
            "s": GraphQLArgument(GraphQLString),
            "i": GraphQLArgument(INPUT),
            "c": GraphQLArgument(COLOR, out_name="colored"),
        }
        resolve: Any = None
        if way == "attribute":
            args = {}

            def resolve(thing: Any, _info: Any) -> Any:
                return getattr(thing, field)

            extensions = {ATTRIBUTE: field}
        elif way.startswith("async"):

            async def resolve(thing: Any, _info: Any, **given: Any) -> Any:
                return _seen(getattr(thing, field), given)
        else:

            def resolve(thing: Any, _info: Any, **given: Any) -> Any:
                return _seen(getattr(thing, field), given)

        if "batch" in way:

            def every(_info: Any, things: Sequence[Any], **given: Any) -> Any:
                return [_caught(thing, field, given) for thing in things]

            async def every_in_time(info: Any, things: Sequence[Any], **given: Any) -> Any:
                return every(info, things, **given)

            extensions = {BATCH: every_in_time if way.startswith("async") else every}
        kind = typed(self.fields[name][field])
        return GraphQLField(kind, args, resolve=resolve, extensions=extensions if ours else {})

    def thing(self, name: str, depth: int) -> Thing:
        """Make an object of a type, with all that hangs below it."""
        kind: Any = self._known.type_map[name]
        seed = self.draw.random()

        def drawn(field: str) -> Any:
            self.draw = random.Random(f"{seed} {field}")  # noqa: S311 - the same whichever field is asked for first
            return self._outcome(kind.fields[field].type, depth)

        return Thing(name, self.fields[name], drawn)

    def _outcome(self, kind: Any, depth: int) -> Any:
        draw = self.draw
        if draw.random() < 0.04:
            return Raised(f"no {draw.randint(0, 99)}")
        return self._value(kind, depth)

    def _value(self, kind: Any, depth: int) -> Any:
        draw = self.draw
        if is_non_null_type(kind):
            return None if draw.random() < 0.03 else self._value(kind.of_type, depth)
        luck = draw.random()
        if luck < 0.06:
            return None
        if luck < 0.08:
            return ValueError(f"returned {draw.randint(0, 9)}")
        if luck < 0.10:
            return draw.choice(["wrong", 5, {}, object, [1], 1.5])
        if is_list_type(kind):
            items = [self._value(kind.of_type, depth) for _ in range(draw.randint(0, 3))]
            return tuple(items) if draw.random() < 0.1 else items
        if is_leaf_type(kind):
            leaves: dict[str, list[Any]] = {
                "String": ["", "text", 5, True],
                "Int": [0, -7, 2**31 - 1, 2**31, True, 1.0],
                "Boolean": [True, False, 1],
                "Float": [0.5, 3, float("inf")],
                "ID": ["a", 7],
                "Color": [1, "b", "RED"],
            }
            return draw.choice(leaves[kind.name])
        if depth == 0:
            return None
        names = self.members if is_abstract_type(kind) else [kind.name]
        return self.thing(draw.choice(names) if draw.random() > 0.03 else draw.choice(self.objects), depth - 1)

    def operation(self) -> str:
        """Write an operation, with its fragments."""
        body = self._selection("Query", DEPTH)
        declared = f"({', '.join(self._declared.values())})" if self._declared else ""
        return "\n".join([f"query {declared} {body}", *self._fragments.values()])

    def _selection(self, name: str, depth: int) -> str:
        draw = self.draw
        parts = []
        for _ in range(draw.randint(1, 5)):
            luck = draw.random()
            if luck < 0.1:
                parts.append(f"__typename{self._directive()}")
            elif luck < 0.2:
                condition = self._condition(name)
                on = f" on {condition}" if condition else ""
                parts.append(f"...{on}{self._directive()} {self._selection(condition or name, depth)}")
            elif luck < 0.27 and depth > 1:
                fragment = f"F{len(self._fragments)}"
                self._fragments[fragment] = ""
                self._fragments[fragment] = f"fragment {fragment} on {name} {self._selection(name, depth - 1)}"
                parts += [f"...{fragment}{self._directive()}"] * draw.randint(1, 2)
            else:
                parts.append(self._selected(name, depth))
        return "{ " + " ".join(part for part in parts if part) + " }"

    def _condition(self, name: str) -> str:
        """Return a type that a value of another one can be of, or nothing."""
        kind: Any = self._known.type_map[name]
        possible = {one.name for one in self._known.get_possible_types(kind)} if is_abstract_type(kind) else {name}
        beside = {*possible, name, *(["Shared", "Any"] if possible & set(self.members) else [])}
        return self.draw.choice(["", *sorted(beside)])

    def _selected(self, name: str, depth: int) -> str:
        draw = self.draw
        fields = getattr(self._known.type_map[name], "fields", {})
        if not fields:
            return "__typename"
        field = draw.choice(sorted(fields))
        definition = fields[field]
        arguments = self._arguments(definition)
        inner = get_named_type(definition.type)
        if is_leaf_type(inner):
            body = ""
        elif depth == 0:
            return "__typename"
        else:
            body = self._selection(inner.name, depth - 1)
        # One alias for each way to ask, so that fields of one key can be merged.
        kind = str(definition.type).translate({ord(c): "_" for c in "[]!"})
        asked = sum(map(ord, arguments)) % 1000
        alias = f"{field}_{name}_{kind}_{asked}: " if arguments or draw.random() < 0.2 else f"{field}_{name}: "
        return f"{alias}{field}{arguments}{self._directive()} {body}"

    def _arguments(self, definition: GraphQLField) -> str:
        draw = self.draw
        given = []
        for name in sorted(definition.args):
            if draw.random() < 0.25:
                kind = str(definition.args[name].type)
                given.append(f"{name}: {self._variable(kind) if draw.random() < 0.4 else self._literal(kind)}")
        return f"({', '.join(given)})" if given else ""

    def _literal(self, kind: str) -> str:
        return self.draw.choice(
            {
                "Int": ["1", "-2", "null"],
                "String": ['"x"', "null", '""'],
                "Color": ["RED", "BLUE", "null"],
                "In": ["{}", "{n: 1}", '{s: ["a", null]}', "null", '{n: null, s: "one"}'],
            }[kind]
        )

    def _variable(self, kind: str) -> str:
        name = f"v{len(self._declared)}"
        default = f" = {self._literal(kind)}" if self.draw.random() < 0.3 else ""
        self._declared[name] = f"${name}: {kind}{default}"
        values: dict[str, list[Any]] = {
            "Int": [4, None],
            "String": ["y", None],
            "Color": ["RED", None],
            "In": [{"n": 2}, {}, {"s": ["z"]}],
        }
        if self.draw.random() < 0.7:
            self.variables[name] = self.draw.choice(values[kind])
        return f"${name}"

    def _directive(self) -> str:
        draw = self.draw
        if draw.random() > 0.12:
            return ""
        truth = draw.choice(["true", "false", "variable"])
        if truth == "variable":
            name = f"b{len(self._declared)}"
            self._declared[name] = f"${name}: Boolean! = {draw.choice(['true', 'false'])}"
            if draw.random() < 0.7:
                self.variables[name] = draw.choice([True, False])
            truth = f"${name}"
        return f" @{draw.choice(['skip', 'include'])}(if: {truth})"


def _seen(value: Any, given: dict[str, Any]) -> Any:
    return f"{value} {sorted(given.items())}" if given.keys() - {"n"} and isinstance(value, str) else value


def _caught(thing: Any, field: str, given: dict[str, Any]) -> Any:
    try:
        return _seen(getattr(thing, field), given)
    except Exception as error:
        return error
