"""Operations: texts made ready to run, once: parsed, measured and validated, then remembered for the next time."""

import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    Source,
    SourceLocation,
    Token,
    TokenKind,
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
from engine.validation import Rule, disclosed, validation_rules

KEPT_CHARACTERS = 5_000_000
"""How many characters the texts that are remembered may have, all in all."""

KEPT_BESIDE = 500
"""For how many characters each of them counts beside its own: a short text takes room as well."""

KEPT_FOR_TOKEN = 40
"""For how many characters each of its tokens counts: what is read out of a text takes more room than the text."""

KEPT_COSTS = 32
"""For how many sizes of page the cost of one operation is remembered."""


COMPARISONS = 25_000
"""What validation may spend on telling whether fields of one name mean the same: ordinary operations need hundreds."""


class Refused(Exception):
    """The operation cannot be run; nothing of it was."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(errors)
        self.errors = errors

    @property
    def code(self) -> str:
        """The code of the first of its errors."""
        return str((self.errors[0].extensions or {}).get("code"))


def refused(code: str, message: str, **extensions: Any) -> Refused:
    """Return a refusal of one error with a stable code."""
    return Refused(GraphQLError(message, extensions={"code": code, **extensions}))


def client_error(error: GraphQLError, code: str) -> GraphQLError:
    """Return an error that graphql-core found in what a client sent, with its code.

    Where Python could not read a value at all, as an integer of five thousand digits, the error would quote it whole.
    """
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    message = "A value is not one of its type" if cause else error.message
    # Where it stands by its places in the text, not by nodes: an error is remembered, the tree it was found in is not.
    return GraphQLError(message, source=error.source, positions=error.positions, extensions={"code": code})


@dataclass(frozen=True)
class PreparedOperation:
    """An operation that is valid and within its limits, ready to run as often as it is sent."""

    schema: GraphQLSchema
    document: DocumentNode
    node: OperationDefinitionNode
    sizes: tuple[str, ...]
    """The variables that say how long a page is."""
    limits: Limits
    reads_data: bool
    """Whether it selects more than what the schema says about itself."""
    _costs: dict[tuple[Any, ...], int] = field(default_factory=dict, repr=False)

    @property
    def kind(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.node.operation

    @property
    def name(self) -> str | None:
        """Its name, if it has one."""
        return self.node.name.value if self.node.name else None

    def cost(self, variables: Mapping[str, Any]) -> int:
        """Return what it costs with these variables."""
        # As `PageSizes` reads them: null is not the same as absent, which leaves it to the default.
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
    """What became of a text: its operations by name, or why it has none that can be run."""

    size: int
    """How much room it takes, in characters."""
    operations: Mapping[str | None, PreparedOperation] = field(default_factory=dict)
    errors: tuple[GraphQLError, ...] = ()


class OperationCache:
    """The operations of a schema, by their texts.

    A text is parsed, measured and validated when it is met for the first time; then only looked up, until others
    that were used later have taken its place.
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
        """Keep the operations of a schema, held to limits, the rules of the specification, and these `rules`."""
        self.limits = limits
        self.suggestions = suggestions and introspection
        """Whether errors may name what the client could have meant, which tells of the schema."""
        self.introspection = introspection
        """Whether errors may name anything of the schema at all."""
        self.read = 0
        """How many texts were parsed, measured and validated."""
        self.found = 0
        """How many were remembered."""
        self._schema = schema
        # Read by graphql-core when it begins to validate; its own is good for half a second.
        overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = COMPARISONS
        self._rules = validation_rules(rules, introspection=introspection)
        self._texts: OrderedDict[str, _Text] = OrderedDict()
        self._characters = 0

    def find(self, text: str, name: str | None = None) -> PreparedOperation:
        """Return the operation of a name, or the only one, of a text. Raises `Refused`."""
        known = self._texts.get(text)
        if known is None:
            if len(text) > self.limits.characters:  # it is not worth the place of others
                raise Refused(
                    _excess(LimitExceeded("MAX_CHARACTERS_EXCEEDED", "characters", len(text), self.limits.characters))
                )
            self.read += 1
            known = self._keep(text, self._read(text))
        else:
            self.found += 1
            self._texts.move_to_end(text)
        if known.errors:
            raise Refused(*known.errors)
        if name is None and len(known.operations) > 1:
            raise refused("OPERATION_RESOLUTION_FAILURE", "There are several operations, and operationName names none")
        operation = known.operations.get(name) if name is not None else next(iter(known.operations.values()), None)
        if operation is None:
            raise refused("OPERATION_RESOLUTION_FAILURE", "There is no such operation in the document")
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
            except RecursionError:  # fragments can nest deeper than the parser sees
                raise refused("MAX_DEPTH_EXCEEDED", "The operation is nested too deeply") from None
            self._validate(document)
        except Refused as refusal:
            for error in refusal.errors:
                error.__traceback__ = error.__context__ = None  # they hold the parser, and all that it has read
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
        # Everything beside one operation; before any of it is measured, for each operation is with all that it spreads.
        others = len(document.definitions) - 1
        if others > self.limits.fragments:
            raise Refused(
                _excess(LimitExceeded("MAX_FRAGMENTS_EXCEEDED", "definitions", others, self.limits.fragments))
            )
        measuring = ComplexityAnalyzer(self._schema, document, self.limits)
        found: list[LimitExceeded] = []
        operations: dict[str | None, PreparedOperation] = {}
        try:
            for node in nodes:
                sizes = PageSizes(node.variable_definitions or (), {}, self.limits.largest_page)
                measured = measuring.operation(node, sizes)
                found.extend(excesses(measured, self.limits))
                operation = PreparedOperation(
                    self._schema, document, node, tuple(sorted(sizes.names)), self.limits, measured.own > 0
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
    """Return what an operation costs with these variables. Raises `Refused` if it is more than the limit.

    A list that is longer than any that is answered is refused here, before each of its entries is looked at.
    """
    for name in operation.sizes:
        if isinstance(given := variables.get(name), list) and len(given) > limits.largest_page:
            raise refused(
                "BAD_USER_INPUT", f"A list has {len(given):,} entries, at most {limits.largest_page} are allowed"
            )
    cost = operation.cost(variables)
    if cost > limits.cost:
        raise Refused(_excess(LimitExceeded("MAX_COST_EXCEEDED", "cost", cost, limits.cost)))
    return cost


def _excess(excess: LimitExceeded) -> GraphQLError:
    return GraphQLError(
        f"The operation is too large: {excess.what} of {excess.requested:,}, at most {excess.limit:,} are allowed",
        extensions={"code": excess.code, "requested": excess.requested, "limit": excess.limit},
    )


class _Lines(Source):
    """A text that knows where its lines begin, which is looked up for each error in it."""

    def __init__(self, body: str) -> None:
        super().__init__(body)
        self.starts = [0, *(end.end() for end in _END_OF_LINE.finditer(body))]

    def get_location(self, position: int) -> SourceLocation:
        """Return the line and the column of a character, counted from 1."""
        line = bisect_right(self.starts, position)
        return SourceLocation(line, position - self.starts[line - 1] + 1)


def _tokens(document: DocumentNode) -> Iterator[Token]:
    token = document.loc.start_token if document.loc else None
    while token is not None:
        yield token
        token = token.next


def _code_of_syntax(message: str) -> str:
    # The parser tells its limits apart by its sentences only; a test keeps watch over them.
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
