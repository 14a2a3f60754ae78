"""Operations of a size or a form that nobody means, each with the code that it is refused with."""

from graphql import get_introspection_query


def fragments(count: int, spread: str, end: str) -> str:
    """Return an operation with a chain of fragments, each spreading the next."""
    links = "".join(f" fragment F{n} on Query {{ {spread.format(n + 1)} }}" for n in range(count))
    return f"{{ ...F0 }}{links} fragment F{count} on Query {{ {end} }}"


def schema_twice() -> str:
    """Return the question for the schema as GraphiQL asks it, twice in one operation."""
    question = get_introspection_query()
    start, end = question.index("__schema {") + len("__schema"), question.index("fragment FullType")
    body = question[start : question.rindex("}", 0, end)]
    return f"{{ a: __schema {{ ...S }} b: __schema {{ ...S }} }} fragment S on __Schema {body} {question[end:]}"


def doubling(depth: int, end: str = "__typename") -> str:
    return fragments(depth, "...F{0} ...F{0}", end)


NEWLINES = "\n" * 4_900

HOSTILE: dict[str, tuple[str, str]] = {
    "10,000 braces deep": ("{a" * 10_000 + "}" * 10_000, "MAX_DEPTH_EXCEEDED"),
    "50 braces deep": ("{a" * 50 + "}" * 50, "MAX_DEPTH_EXCEEDED"),
    "lists 30,000 deep": ("{ node(id: " + "[" * 30_000 + "]" * 30_000 + ") { id } }", "MAX_DEPTH_EXCEEDED"),
    "objects 30,000 deep": ("{ node(id: " + "{a:" * 30_000 + "1" + "}" * 30_000 + ") { id } }", "MAX_DEPTH_EXCEEDED"),
    "a type 30,000 deep": (
        "query ($a: " + "[" * 30_000 + "Int" + "]" * 30_000 + ") { __typename }",
        "MAX_DEPTH_EXCEEDED",
    ),
    "15,000 fields": ("{" + " __typename" * 15_000 + "}", "MAX_TOKENS_EXCEEDED"),
    "2,900 times the same field": ("{" + " __typename" * 2_900 + "}", "MAX_ALIASES_EXCEEDED"),
    "2,900 times the same field within": ('{ node(id: "x") {' + " id" * 2_900 + "} }", "MAX_ALIASES_EXCEEDED"),
    "400 aliases": (
        "{" + " ".join(f"a{n}: documents {{ __typename }}" for n in range(400)) + "}",
        "MAX_ALIASES_EXCEEDED",
    ),
    "500 inline fragments": ("{" + " ... { __typename }" * 500 + "}", "MAX_ROOT_FIELDS_EXCEEDED"),
    "250 inline fragments of the same": (
        '{ section(id: "a") {' + " ... on Section { chat { id } }" * 250 + "} }",
        "MAX_FRAGMENTS_EXCEEDED",
    ),
    "150 operations": (
        "".join(f"query Q{n} {{ ...F0 }} " for n in range(150)) + "fragment F0 on Query { __typename }",
        "MAX_FRAGMENTS_EXCEEDED",
    ),
    "10,000 comments": ("#\n" * 10_000 + "{ __typename }", "MAX_COMMENTS_EXCEEDED"),
    "1,000 directives": ("{ __typename" + " @a" * 1_000 + "}", "MAX_DIRECTIVES_EXCEEDED"),
    "2,000,000 blanks": (" " * 2_000_000 + "{ __typename }", "MAX_CHARACTERS_EXCEEDED"),
    "a string of 2,000,000": ('{ node(id: "' + "x" * 2_000_000 + '") { id } }', "MAX_CHARACTERS_EXCEEDED"),
    "a name of 190,000 characters": ("{" + "x" * 190_000 + "}", "MAX_NAME_LENGTH_EXCEEDED"),
    "an unknown fragment": ("{ ...Nothing }", "GRAPHQL_VALIDATION_FAILED"),
    "an empty selection": ("{ }", "GRAPHQL_VALIDATION_FAILED"),
    "an empty selection within": ('{ node(id: "x") { } }', "GRAPHQL_VALIDATION_FAILED"),
    "a fragment within itself": ("{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"),
    "fragments in a circle": (
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "fragments in a circle of 99": (fragments(98, "...F{0}", "...F0"), "GRAPHQL_VALIDATION_FAILED"),
    "a chain of 150 fragments": (fragments(150, "...F{0}", "__typename"), "MAX_FRAGMENTS_EXCEEDED"),
    "30 levels of 2 spreads": (doubling(30), "MAX_ROOT_FIELDS_EXCEEDED"),
    "30 levels of 2 spreads, nested": (
        fragments(30, 'node(id: "x") {{ ...on Query {{ ...F{0} ...F{0} }} }}', "__typename"),
        "MAX_DEPTH_EXCEEDED",
    ),
    "90 fragments of one name": ("fragment A on Query { __typename } " * 90 + "{ ...A }", "GRAPHQL_VALIDATION_FAILED"),
    "500 variables of one name": ("query (" + "$a: Int, " * 500 + ") { __typename }", "GRAPHQL_VALIDATION_FAILED"),
    "the whole schema, twice": (schema_twice(), "MAX_COST_EXCEEDED"),
    "fields too deep for Python, over fragments": (
        fragments(12, "section(id: 1) {{ " + "chat {{ section {{ " * 28 + "...F{0}" + " }} }}" * 28 + " }}", "a"),
        "MAX_DEPTH_EXCEEDED",
    ),
    "the schema within the schema": (
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name }}}}}}}}}}",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "pages within pages": (
        "{ documents(first: 100) { edges { node { sections(first: 500) { edges { node { id }}}}}}}",
        "MAX_COST_EXCEEDED",
    ),
    "100 operations of one large fragment": (
        "".join(f"query A{n} {{ ...F }} " for n in range(100)) + "fragment F on Query {" + " a" * 2_300 + "}",
        "MAX_SELECTIONS_EXCEEDED",
    ),
    "134 pages of one large fragment": (
        "{"
        + "".join(f"documents(first: {n}) {{ ...F }} " for n in range(134))
        + "} fragment F on DocumentConnection {"
        + " a" * 1_500
        + "}",
        "MAX_ALIASES_EXCEEDED",
    ),
    "700 fields of a fragment that is not spread": (
        "{ __typename } fragment F on Section {" + " chat { id }" * 580 + "}",
        "MAX_ALIASES_EXCEEDED",
    ),
    "200 pages of a fragment that is not spread": (
        "{ __typename } fragment F on Section {" + " documents(first: 1) { edges { cursor } }" * 200 + "}",
        "MAX_ALIASES_EXCEEDED",
    ),
    "100 times the same chain in inline fragments": (
        "{ section(id: 1) {"
        + " ... { chat { section { chat { section { chat { section { id } } } } } } }" * 100
        + "} }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "60 unknown fields behind many lines": (
        NEWLINES + "{ section(id: 1) {" + "".join(f" x{n}" for n in range(60)) + " } }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "90 operations of one name behind many lines": (
        NEWLINES + "query A { __typename } " * 90,
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "700 variables of one name behind many lines": (
        NEWLINES + "query (" + "$a: Int " * 700 + ") { __typename }",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "190,000 lines": ("\n" * 190_000 + "{ __typename }", "MAX_LINES_EXCEEDED"),
    "a long alias": ("{ " + "a" * 20_000 + ": __typename }", "MAX_NAME_LENGTH_EXCEEDED"),
    "a long name of an operation": ("query " + "a" * 20_000 + " { __typename }", "MAX_NAME_LENGTH_EXCEEDED"),
    "pages of which nothing is selected": (
        "{ documents(first: 100) { edges { node {"
        + "".join(f" s{n}: sections(first: 500) {{ __typename }}" for n in range(45))
        + " } } } }",
        "MAX_COST_EXCEEDED",
    ),
    "the whole text of 60 documents": ("{ documents(first: 60) { edges { node { markdown } } } }", "MAX_COST_EXCEEDED"),
}
