"""Tests of link definitions: that the links of a section keep their targets in whatever document it stands."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from db.documents import SectionText
from services.link_definitions import definitions, remembered, with_targets_kept
from services.markdown import compose, split
from services.markdown_parser import Budget

RENDERER = MarkdownIt("commonmark")


def imported(document_id: str, markdown: str) -> list[SectionText]:
    """Return what is stored of a document that is imported."""
    return [
        SectionText(
            passage.title,
            passage.level,
            passage.content,
            {} if passage.definitions is None else remembered(document_id, passage.definitions),
        )
        for passage in split(markdown)
    ]


def exported(document_id: str, texts: Sequence[SectionText]) -> str:
    return compose(with_targets_kept(texts, document_id, Budget()))


def targets(markdown: str) -> list[str]:
    return re.findall(r'(?:href|src)="[^"]*"(?: (?:alt="[^"]*" )?title="[^"]*")?', RENDERER.render(markdown))


ELSEWHERE = "# Links\n\n[a]: /one 'A \"title\" & more'\n[é b]: <../a b?c&copy;=1>\n"


@pytest.mark.parametrize(
    "use",
    [
        "[a]",
        "[text][a]",
        "[A][]",
        "![image][a]",
        "[![image][a]][A]",
        "![an [a] in it][a]",
        "[a] [É\nB] [a](/own) \\[a] [a]:",
        "> - [text\n>   *more*][a]\n>\n>       [a]\n",
        "a `[a]` [`a`][a]\n\n```\n[a]\n```\n\n<b>[a]</b>\n",
        "A [a]\n===\n\nText.",
        "\t- x\n\n1.\t[a]\n   [a]",
        "- # [a] #\n- [a]  \n  [a]",
        "[a]\r\n[a]\r\n\r\n> [a]",
        "---\n[a]",
    ],
)
@pytest.mark.parametrize("other", ["# Other\n", "[a]: /two\n", "# [a]\n\n[É B]: /two\n\n[a-2] [a]: /x\n"])
def test_a_section_placed_elsewhere_keeps_the_targets_of_its_links(use: str, other: str) -> None:
    document = imported("doc_a", f"# Uses [a]\n\n{use}\n\n{ELSEWHERE}")
    foreign = document[:-1]
    before = targets(compose(document))
    there = exported("doc_b", [*imported("doc_b", other), *foreign])
    assert targets(there)[-len(before) :] == before
    assert targets(there)[: -len(before)] == targets(other)
    assert targets(exported("doc_b", imported("doc_b", there))) == targets(there)


def test_what_a_section_lacks_is_added_under_the_label_that_it_uses() -> None:
    foreign = imported("doc_a", f"# One\n\n[text][a]\n\n{ELSEWHERE}")[0]
    there = exported("doc_b", [*imported("doc_b", "# Other\n"), foreign])
    assert there == '# Other\n\n# One\n\n[a]: </one> "A \\"title\\" &amp; more"\n\n[text][a]\n'


def test_where_a_label_means_something_else_the_section_gets_another() -> None:
    foreign = imported("doc_a", "# One\n\n[a] and `[a]`\n\n# Two\n\n[b][a]\n\n# Links\n\n[a]: /one\n")[:2]
    there = exported("doc_b", [*imported("doc_b", "# Other\n\n[a]: /two\n"), *foreign])
    assert there == ("# Other\n\n[a]: /two\n\n# One\n\n[a-2]: </one>\n\n[a][a-2] and `[a]`\n\n# Two\n\n[b][a-2]\n")


def test_a_label_that_others_use_for_nothing_stays_nothing() -> None:
    foreign = imported("doc_a", "# One\n\n[a]\n\n# Links\n\n[a]: /one\n")[0]
    assert exported("doc_b", [*imported("doc_b", "# Other\n\n[a]\n"), foreign]) == (
        "# Other\n\n[a]\n\n# One\n\n[a-2]: </one>\n\n[a][a-2]\n"
    )


def test_a_section_keeps_to_its_own_definitions_wherever_it_was_made() -> None:
    made = SectionText("One", 1, "[a]\n\n[a]: /one", {})
    assert targets(exported("doc_b", [*imported("doc_b", "[a]: /two\n"), made])) == ['href="/one"']


def test_what_a_section_does_not_define_takes_the_definitions_of_its_document() -> None:
    made = SectionText("One", 1, "[a]", {})
    assert targets(exported("doc_b", [*imported("doc_b", "[a]: /two\n"), made])) == ['href="/two"']


def test_front_matter_of_a_section_from_elsewhere_stays_at_the_start() -> None:
    foreign = imported("doc_a", "---\na: b\n---\n[a]\n\n# Links\n\n[a]: /one\n")[0]
    assert exported("doc_b", [foreign]) == "---\na: b\n---\n\n[a]: </one>\n\n[a]\n"


def test_metadata_that_came_from_elsewhere_is_no_hindrance() -> None:
    junk: list[Any] = [None, 1, [], {}, {"a": 1}]
    texts = [SectionText("One", 1, "[a]\n\n[a]: /one", metadata) for metadata in junk]
    assert targets(exported("doc_b", texts)) == ['href="/one"'] * 5


def test_a_thousand_labels_that_mean_something_else_are_told_apart() -> None:
    budget = Budget()
    made = [SectionText("One", 1, f"[a]\n\n[a]: /{number}", {}) for number in range(1_000)]
    there = compose(with_targets_kept(made, "doc_b", budget))
    assert targets(there) == [f'href="/{number}"' for number in range(1_000)]


pieces = st.sampled_from(
    [
        *("[a]", "[b][a]", "[A][]", "![c][b]", "[a](/x)", "`[a]`", "\\[a]", "*[b]*", "[[a]", "a]", "\n", "\n\n"),
        *("\n> ", "\n- ", "\n\n# ", "\n\n[a]: /one\n\n", "\n\n[b]: /two 't'\n\n", "\n\n```\n", " ", "[c]", "<b>", "\t"),
    ]
)
markdowns = st.lists(pieces, min_size=1, max_size=12).map("".join)
thoroughly = settings(max_examples=300, deadline=None, derandomize=True)


@thoroughly
@given(markdowns)
def test_nothing_changes_in_the_document_that_sections_were_imported_with(markdown: str) -> None:
    assert exported("doc_a", imported("doc_a", markdown)) == compose(split(markdown))


@thoroughly
@given(markdowns)
def test_links_keep_their_targets_in_any_other_document(markdown: str) -> None:
    document = imported("doc_a", f"# One\n{markdown}\n\n# Links\n\n[a]: /1\n[b]: /2\n[c]: /3\n")
    assume(definitions(compose(document), Budget()).keys() >= {"A", "B", "C"})  # none is in a block left open
    there = exported("doc_b", [*imported("doc_b", "# Other\n\n[A]: /other\n\n[B]: /other\n"), *document])
    assert targets(there) == targets(compose(document))
