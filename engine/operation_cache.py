"""The operation cache: documents are parsed, measured and validated once, then cached."""

import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    Source,
    SourceLocation,
    Token,
    TokenKind,
    VariableValues,
    parse,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged

from engine.complexity import (
    ComplexityAnalyzer,
    LimitExceeded,
    Limits,
    PageSizes,
    TooManySelections,
    excesses,
    size,
)
from engine.directives import choosing
from engine.plan import Plan
from engine.validation import Rule, disclosed, validation_rules

KEPT_PLANS = 16
"""The number of plans kept for an operation: each combination of its directives has its own."""

KEPT_CHARACTERS = 5_000_000
"""The capacity of the cache, in characters."""

KEPT_BESIDE = 500
"""The overhead of an entry, in characters, in addition to its text."""

KEPT_FOR_TOKEN = 40
"""The size of a token, in characters: a parsed document takes more memory than its text."""

KEPT_COSTS = 32
"""The number of costs cached for an operation, one for each combination of page sizes."""

COMPARISONS = 25_000
"""The budget for the validation of overlapping fields, in comparisons; ordinary operations need hundreds."""


class Refused(Exception):
    """The operation was refused before its execution."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(errors)
        self.errors = errors

    @property
    def code(self) -> str:
        """The code of the first error."""
        return str((self.errors[0].extensions or {}).get("code"))


def refused(code: str, message: str, **extensions: Any) -> Refused:
    """Return a refusal with one error and a stable code."""
    return Refused(GraphQLError(message, extensions={"code": code, **extensions}))


def client_error(error: GraphQLError, code: str) -> GraphQLError:
    """Return an error that graphql-core found in a request, with its code.

    If Python failed to parse a value, such as an integer of five thousand digits, the error would quote all of it.
    """
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    message = "A value does not match its type" if cause else error.message
    # Located by positions, not by nodes: the cache keeps the error, but not its syntax tree.
    return GraphQLError(message, source=error.source, positions=error.positions, extensions={"code": code})


@dataclass(frozen=True)
class PreparedOperation:
    """A valid operation within the limits, ready for any number of executions."""

    schema: GraphQLSchema
    document: DocumentNode
    node: OperationDefinitionNode
    sizes: tuple[str, ...]
    """The variables that specify page sizes."""
    limits: Limits
    reads_data: bool
    """Whether the operation selects more than introspection."""
    fragments: Mapping[str, FragmentDefinitionNode] = field(default_factory=dict)
    _costs: dict[tuple[Any, ...], int] = field(default_factory=dict, repr=False)
    _plans: dict[tuple[Any, ...], Plan] = field(default_factory=dict, repr=False)

    @property
    def kind(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.node.operation

    @property
    def name(self) -> str | None:
        """The name of the operation; None if it is anonymous."""
        return self.node.name.value if self.node.name else None

    @cached_property
    def _choosing(self) -> tuple[str, ...]:
        return choosing(self.node, self.fragments)

    def plan(self, variables: VariableValues) -> Plan:
        """Return the plan for these variables: one for each combination of those that stand in directives.

        Raises `Refused` where one of these is null.
        """
        chosen = tuple(variables.coerced.get(name) for name in self._choosing)
        plan = self._plans.get(chosen)
        if plan is None:
            choices = {name: value for name, value in zip(self._choosing, chosen, strict=True) if value is not None}
            if len(choices) < len(chosen):
                raise refused("BAD_USER_INPUT", "The variable of @skip or @include must not be null")
            plan = Plan(self.schema, self.node, self.fragments, choices)
            if len(self._plans) < KEPT_PLANS:
                self._plans[chosen] = plan
        return plan

    def cost(self, variables: Mapping[str, Any]) -> int:
        """Return the cost of the operation with these variables."""
        # As in `PageSizes`: null differs from absent, for which the default applies.
        given = tuple(
            size(variables[name], self.limits.largest_page) if name in variables else _ABSENT for name in self.sizes
        )
        cost = self._costs.get(given)
        if cost is None:
            sizes = PageSizes(self.node.variable_definitions or (), variables, self.limits.largest_page)
            cost = ComplexityAnalyzer(self.schema, self.document, self.limits).operation(self.node, sizes).cost
            if len(self._costs) < KEPT_COSTS:
                self._costs[given] = cost
        return cost


@dataclass(frozen=True)
class _Text:
    """A cached document: its operations by name, or the errors that refuse them."""

    size: int
    """The size of the entry, in characters."""
    operations: Mapping[str | None, PreparedOperation] = field(default_factory=dict)
    errors: tuple[GraphQLError, ...] = ()


class OperationCache:
    """The prepared operations of a schema, by the text of their document.

    The first request with a document parses, measures and validates it. Later requests look it up, until the document
    is evicted as the least recently used one.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        rules: Iterable[Rule] = (),
        *,
        introspection: bool = True,
        suggestions: bool = True,
    ) -> None:
        """Create an empty cache; operations must satisfy the limits, the rules of the specification and `rules`."""
        self.limits = limits
        self.suggestions = suggestions and introspection
        """Whether errors may suggest names, which discloses the schema."""
        self.introspection = introspection
        """Whether errors may name types and fields of the schema."""
        self.misses = 0
        """The number of cache misses."""
        self.hits = 0
        """The number of cache hits."""
        self._schema = schema
        # graphql-core reads this when validation begins; its default allows for half a second of work.
        overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = COMPARISONS
        self._rules = validation_rules(rules, introspection=introspection)
        self._texts: OrderedDict[str, _Text] = OrderedDict()
        self._characters = 0

    def find(self, text: str, name: str | None = None) -> PreparedOperation:
        """Return the operation with this name, or the only one of the document. Raises `Refused`."""
        known = self._texts.get(text)
        if known is None:
            if len(text) > self.limits.characters:  # not cached: it would evict others
                raise Refused(
                    _excess(LimitExceeded("MAX_CHARACTERS_EXCEEDED", "characters", len(text), self.limits.characters))
                )
            self.misses += 1
            known = self._keep(text, self._read(text))
        else:
            self.hits += 1
            self._texts.move_to_end(text)
        if known.errors:
            raise Refused(*known.errors)
        if name is None and len(known.operations) > 1:
            raise refused(
                "OPERATION_RESOLUTION_FAILURE", "The document has several operations; operationName is required"
            )
        operation = known.operations.get(name) if name is not None else next(iter(known.operations.values()), None)
        if operation is None:
            raise refused("OPERATION_RESOLUTION_FAILURE", "The document has no such operation")
        return operation

    def _keep(self, text: str, known: _Text) -> _Text:
        self._texts[text] = known
        self._characters += known.size
        while self._characters > KEPT_CHARACTERS:
            _, oldest = self._texts.popitem(last=False)
            self._characters -= oldest.size
        return known

    def _read(self, text: str) -> _Text:
        try:
            document = self._parse(text)
            try:
                operations = self._measure(document)
            except RecursionError:  # the parser limits no nesting through fragments
                raise refused("MAX_DEPTH_EXCEEDED", "The operation is nested too deeply") from None
            self._validate(document)
        except Refused as refusal:
            for error in refusal.errors:
                error.__traceback__ = error.__context__ = None  # they keep the parser and all it has read alive
            told = sum(len(error.message) for error in refusal.errors)
            return _Text(len(text) + KEPT_BESIDE + told, errors=refusal.errors)
        tokens = sum(1 for _ in _tokens(document))
        return _Text(len(text) + KEPT_BESIDE + KEPT_FOR_TOKEN * tokens, operations)

    def _parse(self, text: str) -> DocumentNode:
        limits, source = self.limits, _Lines(text)
        try:
            document = parse(source, max_lexical_tokens=limits.tokens, max_comments=limits.comments)
        except GraphQLSyntaxError as error:
            error.extensions = {"code": _code_of_syntax(error.message)}
            raise Refused(error) from None
        if (lines := len(source.starts)) > limits.lines:
            raise Refused(_excess(LimitExceeded("MAX_LINES_EXCEEDED", "lines", lines, limits.lines)))
        names = (token.value or "" for token in _tokens(document) if token.kind is TokenKind.NAME)
        if (longest := max(map(len, names), default=0)) > limits.name:
            raise Refused(
                _excess(LimitExceeded("MAX_NAME_LENGTH_EXCEEDED", "characters of a name", longest, limits.name))
            )
        return document

    def _measure(self, document: DocumentNode) -> Mapping[str | None, PreparedOperation]:
        nodes = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        # All definitions but one operation. Checked before measuring, because each operation includes its fragments.
        others = len(document.definitions) - 1
        if others > self.limits.fragments:
            raise Refused(
                _excess(LimitExceeded("MAX_FRAGMENTS_EXCEEDED", "definitions", others, self.limits.fragments))
            )
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        measuring = ComplexityAnalyzer(self._schema, document, self.limits)
        found: list[LimitExceeded] = []
        operations: dict[str | None, PreparedOperation] = {}
        try:
            for node in nodes:
                sizes = PageSizes(node.variable_definitions or (), {}, self.limits.largest_page)
                measured = measuring.operation(node, sizes)
                found.extend(excesses(measured, self.limits))
                operation = PreparedOperation(
                    self._schema, document, node, tuple(sorted(sizes.names)), self.limits, measured.own > 0, fragments
                )
                operations[operation.name] = operation
            for measured in measuring.fragments():
                found.extend(excesses(measured, self.limits))
        except TooManySelections:
            most = self.limits.selections
            raise Refused(_excess(LimitExceeded("MAX_SELECTIONS_EXCEEDED", "selections", most + 1, most))) from None
        if found:
            raise Refused(*(_excess(excess) for excess in dict.fromkeys(found)))
        return operations

    def _validate(self, document: DocumentNode) -> None:
        errors = validate(
            self._schema, document, self._rules, max_errors=self.limits.errors, hide_suggestions=not self.suggestions
        )
        if errors:
            raise Refused(*(client_error(error, "GRAPHQL_VALIDATION_FAILED") for error in disclosed(errors)))


def hold_to_cost(operation: PreparedOperation, variables: Mapping[str, Any], limits: Limits) -> int:
    """Return the cost of an operation with these variables. Raises `Refused` if the cost exceeds the limit.

    A list that is longer than the largest page is refused here, before any of its entries is processed.
    """
    for name in operation.sizes:
        if isinstance(given := variables.get(name), list) and len(given) > limits.largest_page:
            raise refused(
                "BAD_USER_INPUT", f"A list has {len(given):,} entries; at most {limits.largest_page} are allowed"
            )
    cost = operation.cost(variables)
    if cost > limits.cost:
        raise Refused(_excess(LimitExceeded("MAX_COST_EXCEEDED", "cost", cost, limits.cost)))
    return cost


def _excess(excess: LimitExceeded) -> GraphQLError:
    return GraphQLError(
        f"The operation is too large: {excess.what} {excess.requested:,}, limit {excess.limit:,}",
        extensions={"code": excess.code, "requested": excess.requested, "limit": excess.limit},
    )


class _Lines(Source):
    """A source that indexes its lines, because every error looks up its location."""

    def __init__(self, body: str) -> None:
        super().__init__(body)
        self.starts = [0, *(end.end() for end in _END_OF_LINE.finditer(body))]

    def get_location(self, position: int) -> SourceLocation:
        """Return the line and the column of a character, both counted from 1."""
        line = bisect_right(self.starts, position)
        return SourceLocation(line, position - self.starts[line - 1] + 1)


def _tokens(document: DocumentNode) -> Iterator[Token]:
    token = document.loc.start_token if document.loc else None
    while token is not None:
        yield token
        token = token.next


def _code_of_syntax(message: str) -> str:
    # The parser distinguishes its limits only by their messages; a test checks these.
    for words, code in (
        ("tokens. Parsing aborted.", "MAX_TOKENS_EXCEEDED"),
        ("comments. Parsing aborted.", "MAX_COMMENTS_EXCEEDED"),
        ("nested too deeply. Parsing aborted.", "MAX_DEPTH_EXCEEDED"),
    ):
        if message.endswith(words):
            return code
    return "GRAPHQL_PARSE_FAILED"


_ABSENT = object()

_END_OF_LINE = re.compile(r"\r\n|[\n\r]")
