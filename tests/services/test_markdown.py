"""Tests of services/markdown.py: what makes a passage, and that a document survives being taken apart."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from services import front_matter
from services.markdown import BOM, NBSP, Passage, compose, split
from services.markdown_parser import MAX_NESTING

SPECIFICATION = Path(__file__).parents[3] / "shared/data/graphql-spec"
FILES = sorted(SPECIFICATION.glob("*.md"))
NO_FILES = pytest.param(None, marks=pytest.mark.skip(reason=f"no GraphQL specification in {SPECIFICATION}"))

# The law is about HTML that shows the whole document: the default nesting would leave out what is deeper.
RENDERER = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})

# What documents are built of: lines with a start, a text and an end, each of which harms some other.
BREAKS = ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"]
STARTS = [
    *("", "", "# ", "###### ", "#", "> ", ">", "- ", "- - ", "1. ", "> - "),
    *(" ", "   ", "    ", "\t", NBSP, BOM, *BREAKS),
]
TEXTS = [
    *("", "", "a", "b c", "#", "# a", "a #", "##", "===", "---", "=", "-", "***", "* * *", "1.", "2) a"),
    *("```", "~~~", "````", "``` a", "<div>", "</div>", "<!--", "-->", "<?", "?>", "<!X", ">", "<b>"),
    *("<![CDATA[", "]]>", "<pre>", "</pre>", "<script", "</script>", "&amp;", "| a |", "|-|", "\\", "\\#"),
    *("a: b", "a: '", "a = 1", "+++", "...", "# a: b"),
    *("<a b='", "[a]", "[a]:", "[a]: /u", "[", "]: /u", "'t'", '"', "(", "`", "*", "_"),
]
ENDS = [
    *("\n", "\n", "\n", "\n", "\n", "\n", "\n\n", "\n\n", "\r\n", "\r"),
    *(" \n", " \t\n", "\n  \n", "\\\n", "\x85\n", f"{NBSP}\n", ""),
]
HEADINGS = ["# a\n", "\n# a\n", "a\nb\n---\n"]

lines = st.tuples(*map(st.sampled_from, (STARTS, TEXTS, ENDS))).map("".join)
# A few kinds of lines at a time, and headings among them: what opens a block must meet what closes it.
bodies = st.lists(lines, min_size=1, max_size=8).flatmap(
    lambda kinds: st.lists(st.sampled_from([*kinds, *HEADINGS]), min_size=4, max_size=16).map("".join)
)
FRONTS = ["---\na: b\n---\n", "\n---\na: b\n", "---\na: b\n", "---\n", "+++\r\na = 1\r\n+++\r\n", "--- \ra: b\r...\r"]
documents = st.builds(str.__add__, st.just("") | st.sampled_from(FRONTS), bodies)
titles = st.tuples(*map(st.sampled_from, (STARTS, TEXTS, STARTS, TEXTS))).map("".join).map(str.strip)
passages = st.builds(
    Passage,
    title=st.none() | titles,
    level=st.integers(1, 6),
    content=documents,
)
thoroughly = settings(max_examples=300, deadline=None, derandomize=True)


def ended(markdown: str) -> str:
    """Return the text of a document: without a byte order mark, and with its last line ended."""
    text = markdown.removeprefix(BOM)
    return text if text.endswith(("\n", "\r")) else text + "\n"


def body(markdown: str) -> str:
    """Return what of a document is CommonMark: all but its front matter."""
    text = ended(markdown)
    return text[front_matter.length(text) :]


def html(markdown: str) -> str:
    return str(RENDERER.render(body(markdown)))


def headings(markdown: str) -> list[tuple[str, int]]:
    return [(passage.title, passage.level) for passage in split(markdown) if passage.title is not None]


def seconds(markdown: str) -> float:
    """Measure the processor time in which a document is taken apart, the better of two."""

    def once() -> float:
        start = process_time()
        split(markdown)
        return process_time() - start

    return min(once(), once())


# What makes a passage


def test_each_heading_begins_a_passage_of_its_level() -> None:
    assert split("# One\n\nText.\n\nTwo\n---\nMore.\n###### Six\n#\n") == [
        Passage("One", 1, "Text."),
        Passage("Two", 2, "More."),
        Passage("Six", 6, ""),
        Passage("", 1, ""),
    ]


def test_text_before_the_first_heading_is_a_passage_without_title() -> None:
    assert split("Hello.\n\n# One\n") == [Passage(None, 1, "Hello."), Passage("One", 1, "")]


@pytest.mark.parametrize("definition", ["[a]: /a", "[a]:\n  /a\n  'one\n===\ntwo'"])
def test_link_definitions_before_the_first_heading_are_text(definition: str) -> None:
    assert split(f"{definition}\n# One\n") == [Passage(None, 1, definition), Passage("One", 1, "")]


@pytest.mark.parametrize("markdown", ["", "\n", " \t\r\n\r \n  ", BOM])
def test_an_empty_document_has_no_passage(markdown: str) -> None:
    assert split(markdown) == []


def test_blank_lines_before_the_first_heading_make_no_passage() -> None:
    assert split("\n \t\n# One\n") == [Passage("One", 1, "")]


@pytest.mark.parametrize(
    "block",
    [
        pytest.param("```\n# no\n```", id="fence"),
        pytest.param("~~~\n# no\n\n# no", id="open fence"),
        pytest.param("> # no\n>\n> no\n> ---", id="quote"),
        pytest.param("no\n> no\n===", id="quote after a paragraph"),
        pytest.param("> no\n" * 9 + "no\n===", id="quote going on"),
        pytest.param("- # no\n\n  no\n  ===", id="list"),
        pytest.param("<div>\n# no\n</div>", id="HTML"),
        pytest.param("<!--\n\n# no\n-->", id="HTML comment"),
        pytest.param("    # no", id="indented code"),
        pytest.param("no\n    # no", id="paragraph going on"),
        pytest.param("####### no\n#no\n\\# no", id="no heading at all"),
    ],
)
def test_a_hash_inside_another_block_makes_no_section(block: str) -> None:
    assert split(f"# One\n\n{block}\n") == [Passage("One", 1, block)]


def test_a_heading_follows_a_quote_that_ends_in_code() -> None:
    quote = "> ```\n" + "> a\n" * 9
    assert split(f"{quote}One\n===\n") == [Passage(None, 1, quote.rstrip()), Passage("One", 1, "")]


@pytest.mark.parametrize(
    ("heading", "title"),
    [
        ("#   Two words  ##  ", "Two words"),
        ("# C#", "C#"),
        ("# a \\#", "a \\#"),
        ("#\t*a* `b` [c](d)", "*a* `b` [c](d)"),
        ("  a  \n   b\n ===", "a  \n   b"),
    ],
)
def test_a_title_is_the_source_of_the_heading_without_its_marks(heading: str, title: str) -> None:
    assert split(heading) == [Passage(title, 1, "")]


def test_content_keeps_everything_but_the_blank_lines_around_it() -> None:
    assert split("# One\n\n \t\n    code\n\n\n*  text  \n \n")[0].content == "    code\n\n\n*  text  "


def test_line_endings_stay_as_they_are() -> None:
    assert split("# One\r\n\r\na\r\nb\nc\rd\r\n# Two\r\r\re\r") == [
        Passage("One", 1, "a\r\nb\nc\rd"),
        Passage("Two", 1, "e"),
    ]


@pytest.mark.parametrize("character", BREAKS)
def test_only_line_endings_end_a_line(character: str) -> None:
    content = f"a{character}# b"
    assert split(f"# One\n{content}\n# Two\n") == [Passage("One", 1, content), Passage("Two", 1, "")]


def test_a_byte_order_mark_is_dropped_and_a_second_one_is_text() -> None:
    assert split(f"{BOM}# One\n") == [Passage("One", 1, "")]
    assert split(f"{BOM}{BOM}# One\n") == [Passage(None, 1, f"{BOM}# One")]


def test_blank_lines_of_an_open_block_belong_to_the_content() -> None:
    assert split("# One\n\n```\na\n\n\n")[0].content == "```\na\n\n"
    assert split("- ```\n  a\n\n# One\n")[0].content == "- ```\n  a\n"


def test_a_heading_ends_a_list_of_thirty_levels() -> None:
    assert headings("".join(f"{'  ' * level}- a\n" for level in range(30)) + "# One\n") == [("One", 1)]


@pytest.mark.parametrize("markdown", [">" * 50_000, "- " * 20_000 + "a", "> - " * 20_000 + "a", "[" * 50_000])
def test_a_document_of_any_depth_is_taken_apart(markdown: str) -> None:
    assert split(markdown) == [Passage(None, 1, markdown)]


def test_an_unended_last_line_that_the_parser_fails_on_is_taken_apart() -> None:
    assert split("> - <!--\n>") == [Passage(None, 1, "> - <!--\n>")]


def test_many_short_quotes_take_no_more_time_than_if_they_stood_apart() -> None:
    assert seconds("> # a\nb\n" * 1500) < 10 * seconds("> # a\nb\n\n" * 1500)


@pytest.mark.slow
def test_a_quotation_mark_that_is_never_closed_takes_no_more_time_than_another_character() -> None:
    lines = f"{'a' * 200}\n" * 20_000
    assert seconds(f"[a]: b\n'\n{lines}") < 4 * seconds(f"[a]: b\n.\n{lines}")


# How a document is put together


def test_a_document_is_written_with_blank_lines_around_its_headings() -> None:
    assert compose(split("Hello.\n\nOne\n===\nText.\n\n\n## Two ##\n### Three\n    code\n\n")) == (
        "Hello.\n\n# One\n\nText.\n\n## Two\n\n### Three\n\n    code\n"
    )


def test_no_passages_make_an_empty_document() -> None:
    assert compose([]) == ""
    assert compose([Passage(None, 1, "")]) == ""


def test_headings_end_their_lines_as_the_content_does() -> None:
    document = compose([Passage("One", 1, "a\r\nb"), Passage("Two", 1, "")])
    assert document == "# One\r\n\r\na\r\nb\r\n\r\n# Two\r\n"


def test_whatever_looks_like_a_section_can_be_put_together() -> None:
    @dataclass
    class Row:
        title: str
        level: int
        content: str

    assert compose([Row("One", 2, "Text.")]) == "## One\n\nText.\n"


@pytest.mark.parametrize("title", ["#", "a #", "# a", "##", "C#", "- x", "1.", "> q", "```", "a\\", "<div>"])
def test_a_title_comes_back_whatever_it_looks_like(title: str) -> None:
    assert split(compose([Passage(title, 3, "")])) == [Passage(title, 3, "")]


@pytest.mark.parametrize(
    ("heading", "title", "level"),
    [
        ("a\nb\n===", "a\nb", 1),
        (f"{NBSP}- a\nb\n---", "- a\nb", 2),
        (f"a\n-{NBSP}\n===", "a\n-", 1),
        (f"a\n***{NBSP}\n---", "a\n***", 2),
    ],
)
def test_a_title_of_several_lines_comes_back_underlined(heading: str, title: str, level: int) -> None:
    assert split(heading) == [Passage(title, level, "")]
    assert split(compose(split(heading))) == [Passage(title, level, "")]


@pytest.mark.parametrize(("level", "title"), [(3, "a\nb"), (1, "a\n\nb"), (2, "a\r\n# b")])
def test_a_title_whose_line_break_no_heading_can_hold_becomes_one_line(level: int, title: str) -> None:
    assert headings(compose([Passage(title, level, "")])) == [(" ".join(title.split()), level)]


def test_a_later_passage_without_title_gets_an_empty_heading() -> None:
    passages = [Passage(None, 1, "a"), Passage(None, 4, "b")]
    assert compose(passages) == "a\n\n####\n\nb\n"


@pytest.mark.parametrize(
    ("left_open", "end"),
    [
        ("```py\na", "```"),
        ("a\n\n  ~~~~\na\n\n", "~~~~"),
        ("<!-- a", "-->"),
        ("<?php", "?>"),
        ("<!DOCTYPE", ">"),
        ("<![CDATA[", "]]>"),
        ("<PRE>\n\na", "</pre>"),
        ("<script", "</script>"),
    ],
)
def test_what_is_left_open_before_a_heading_is_closed(left_open: str, end: str) -> None:
    document = compose([Passage("One", 1, left_open), Passage("Two", 1, "")])
    assert document == f"# One\n\n{left_open.rstrip()}\n{end}\n\n# Two\n"
    assert headings(document) == [("One", 1), ("Two", 1)]


def test_what_is_left_open_at_the_end_stays_open() -> None:
    assert compose([Passage("One", 1, "```\na")]) == "# One\n\n```\na\n"


def test_no_blank_line_is_added_to_a_block_left_open_in_a_list() -> None:
    assert compose([Passage(None, 1, "- ```\n  a"), Passage("One", 1, "")]) == "- ```\n  a\n# One\n"


# The laws


@thoroughly
@given(documents)
def test_each_heading_that_the_plain_parser_finds_begins_a_passage(markdown: str) -> None:
    tokens = RENDERER.parse(body(markdown))
    found = [
        (inside.content, int(token.tag[1]))
        for token, inside in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0
    ]
    assert headings(markdown) == found


@thoroughly
@given(documents)
def test_taking_apart_what_was_put_together_gives_equal_passages(markdown: str) -> None:
    passages = split(markdown)
    assert split(compose(passages)) == passages


@pytest.mark.slow
@thoroughly
@given(documents)
def test_a_document_put_together_renders_as_the_original(markdown: str) -> None:
    assert html(compose(split(markdown))) == html(markdown)


@pytest.mark.slow
@thoroughly
@given(documents)
def test_every_content_stands_unchanged_in_the_document(markdown: str) -> None:
    position = 0
    for passage in split(markdown):
        position = markdown.index(passage.content, position) + len(passage.content)


@pytest.mark.slow
@thoroughly
@given(st.lists(passages, min_size=1, max_size=3))
def test_no_passage_swallows_the_heading_of_another(some: list[Passage]) -> None:
    expected: list[tuple[str, int]] = []
    for number, passage in enumerate(some):
        if number > 0 or passage.title is not None:
            expected.append((passage.title or "", passage.level))
        untitled_first = number == 0 and passage.title is None
        front = untitled_first and front_matter.length(passage.content)
        expected += headings(passage.content if front else f"\n{passage.content}")
    assert headings(compose(some)) == expected


@pytest.mark.parametrize("file", FILES or [NO_FILES], ids=lambda file: file.stem if file else "none")
def test_the_graphql_specification_survives(file: Path) -> None:
    markdown = file.read_bytes().decode()
    passages = split(markdown)
    assert passages
    assert split(compose(passages)) == passages
    assert html(compose(passages)) == html(markdown)
