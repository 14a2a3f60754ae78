"""Measures: the same as if every fragment were written out, in time that grows with the text only."""

import time
from typing import Any

import pytest
from graphql import DocumentNode, OperationDefinitionNode, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.complexity import CEILING, ComplexityAnalyzer, Measure, PageSizes
from schema.build import graphql_schema

SCHEMA = graphql_schema()

LEAVES = {"Query": ["__typename"], "Document": ["id", "title", "markdown"], "Section": ["id", "level"]}
DEEPER = {
    "Query": [("documents(first: {n})", "edges { node {", "} }", "Document"), ('section(id: "a")', "", "", "Section")],
    "Document": [("sections(first: {n})", "edges { node {", "} }", "Section")],
    "Section": [("documents", "edges { node {", "} }", "Document")],
}


def measured(text: str, **variables: Any) -> Measure:
    document: DocumentNode = parse(text)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return ComplexityAnalyzer(SCHEMA, document).operation(
        operation, PageSizes(operation.variable_definitions or (), variables)
    )


@st.composite
def selections(draw: st.DrawFn, kind: str, fragments: dict[str, str], depth: int = 0) -> str:
    """Draw a selection; fragments are added to `fragments`, and are spread by name or as they are."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        choice = draw(st.integers(0, 3 if depth < 3 else 0))
        if choice == 0:
            alias = draw(st.sampled_from(["", "a: ", "b: "]))
            parts.append(alias + draw(st.sampled_from(LEAVES[kind])) + draw(st.sampled_from(["", " @skip(if: true)"])))
        elif choice == 1:
            field, begin, end, of = draw(st.sampled_from(DEEPER[kind]))
            inner = draw(selections(of, fragments, depth + 1))
            opened, closed = (f"{{ {begin}", f"{end} }}") if begin else ("{", "}")
            parts.append(f"{field.format(n=draw(st.integers(0, 5)))} {opened} {inner} {closed}")
        elif choice == 2:
            parts.append(f"... on {kind} {{ {draw(selections(kind, fragments, depth + 1))} }}")
        else:
            inner = draw(selections(kind, fragments, depth + 1))
            name = f"F{len(fragments)}"
            fragments[name] = f"on {kind} {{ {inner} }}"
            parts.extend([f"...{name}"] * draw(st.integers(1, 2)))
    return " ".join(parts)


@st.composite
def operations(draw: st.DrawFn) -> tuple[str, str]:
    """Draw an operation, with its fragments and with every fragment written out where it is spread."""
    fragments: dict[str, str] = {}
    selected = draw(selections("Query", fragments))
    spread = f"{{ {selected} }} " + " ".join(f"fragment {name} {text}" for name, text in fragments.items())
    written = f"{{ {selected} }}"
    for _ in fragments:
        for name, text in reversed(fragments.items()):
            written = written.replace(f"...{name} ", f"... {text} ")
    return spread, written


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(operations())
def test_a_fragment_counts_as_often_as_it_is_spread(drawn: tuple[str, str]) -> None:
    spread, written = drawn
    assert "...F" not in written
    # Those that are written out are inline fragments now.
    assert measured(spread)._replace(inline=0) == measured(written)._replace(inline=0)


def test_it_takes_no_longer_than_the_text_is_long() -> None:
    fragments = "".join(f" fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
    started = time.process_time()
    bomb = measured(f"{{ ...F0 }}{fragments} fragment F60 on Query {{ __typename }}")
    assert (bomb.width, bomb.cost) == (CEILING, CEILING)
    assert (
        time.process_time() - started < 5
    )  # without a memory of fragments it would take longer than the sun will last


def test_what_does_not_exist_is_a_plain_field() -> None:
    assert measured("{ nothing { at { all } ...None } }") == Measure(width=1, own=1, depth=3, cost=3)
    assert measured("{ ... on Nothing { a } }") == Measure(width=1, own=1, depth=1, inline=1, cost=1)
    assert measured("{ ...A } fragment A on Query { a ...A }") == Measure(width=1, own=1, depth=1, cost=1)
