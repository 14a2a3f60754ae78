"""The operation cache: documents are parsed, measured and validated once, then cached."""

import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
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
)
from engine.prepared_operation import PreparedOperation, Refused, client_error, excess_error, refused
from engine.validation import Rule, disclosed, validation_rules

KEPT_CHARACTERS = 5_000_000
"""The capacity of the cache, in characters."""

KEPT_BESIDE = 500
"""The overhead of an entry, in characters, in addition to its text."""

KEPT_FOR_TOKEN = 40
"""The size of a token, in characters, in a parsed document and again in each plan that can be made of it."""

BYTES_PER_CHARACTER = 15
"""The memory that an entry takes for each character of its size, at most."""

COMPARISONS = 25_000
"""The budget for the validation of overlapping fields, in comparisons; ordinary operations need hundreds."""


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
                    excess_error(
                        LimitExceeded("MAX_CHARACTERS_EXCEEDED", "characters", len(text), self.limits.characters)
                    )
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

    @property
    def size(self) -> int:
        """The size of all entries, in characters."""
        return self._characters

    def __len__(self) -> int:
        return len(self._texts)

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
        # Plans are made when the operation is executed; their memory is counted from the beginning.
        copies = 1 + sum(operation.most_plans for operation in operations.values())
        return _Text(len(text) + KEPT_BESIDE + KEPT_FOR_TOKEN * tokens * copies, operations)

    def _parse(self, text: str) -> DocumentNode:
        limits, source = self.limits, _Lines(text)
        try:
            document = parse(source, max_lexical_tokens=limits.tokens, max_comments=limits.comments)
        except GraphQLSyntaxError as error:
            error.extensions = {"code": _code_of_syntax(error.message)}
            raise Refused(error) from None
        if (lines := len(source.starts)) > limits.lines:
            raise Refused(excess_error(LimitExceeded("MAX_LINES_EXCEEDED", "lines", lines, limits.lines)))
        names = (token.value or "" for token in _tokens(document) if token.kind is TokenKind.NAME)
        if (longest := max(map(len, names), default=0)) > limits.name:
            raise Refused(
                excess_error(LimitExceeded("MAX_NAME_LENGTH_EXCEEDED", "characters of a name", longest, limits.name))
            )
        return document

    def _measure(self, document: DocumentNode) -> Mapping[str | None, PreparedOperation]:
        nodes = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        # All definitions but one operation. Checked before measuring, because each operation includes its fragments.
        others = len(document.definitions) - 1
        if others > self.limits.fragments:
            raise Refused(
                excess_error(LimitExceeded("MAX_FRAGMENTS_EXCEEDED", "definitions", others, self.limits.fragments))
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
                    self._schema, document, node, tuple(sorted(sizes.names)), self.limits, measured.own, fragments
                )
                operations[operation.name] = operation
            for measured in measuring.fragments():
                found.extend(excesses(measured, self.limits))
        except TooManySelections:
            most = self.limits.selections
            raise Refused(
                excess_error(LimitExceeded("MAX_SELECTIONS_EXCEEDED", "selections", most + 1, most))
            ) from None
        if found:
            raise Refused(*(excess_error(excess) for excess in dict.fromkeys(found)))
        return operations

    def _validate(self, document: DocumentNode) -> None:
        errors = validate(
            self._schema, document, self._rules, max_errors=self.limits.errors, hide_suggestions=not self.suggestions
        )
        if errors:
            raise Refused(*(client_error(error, "GRAPHQL_VALIDATION_FAILED") for error in disclosed(errors)))


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


_END_OF_LINE = re.compile(r"\r\n|[\n\r]")
