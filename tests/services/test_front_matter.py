"""Tests of services/front_matter.py: where front matter ends, its title, and that it comes back byte for byte."""

from pathlib import Path

import pytest

from services import front_matter
from services.markdown import BOM, Passage, compose, split

SPECIFICATION = Path(__file__).parents[3] / "shared/data/graphql-spec"


def title(*lines: str) -> str | None:
    return front_matter.title("\n".join(["---", *lines, "---", "# Heading", ""]))


@pytest.mark.parametrize(
    "front",
    [
        pytest.param("---\na: b\n---", id="YAML"),
        pytest.param("---\na: b\n...", id="ended by dots"),
        pytest.param("---\n---", id="empty"),
        pytest.param("---  \na: b\n---\t", id="white space after the marks"),
        pytest.param("---\r\na: b\r\n\r\n# c\r\nd:\r\n  - ---\r\n---", id="carriage return and line feed"),
        pytest.param("---\ra: b\r---", id="carriage return"),
        pytest.param("---\n\n# a comment\n  # another\na: b\n---", id="blank lines and comments first"),
        pytest.param("---\na b: c\n---", id="a key of two words"),
        pytest.param("---\n'a: b': c\n\"d\": e\n---", id="quoted keys"),
        pytest.param("---\na:\n---", id="a key without a value"),
        pytest.param("---\na: |\n  # b\n\n  ```\n  <!--\nc\n: [\n---", id="junk"),
        pytest.param("+++\na = 1\n+++", id="TOML"),
        pytest.param("+++\n[a]\nb = 1\n+++", id="TOML with a table"),
        pytest.param("+++\r\n# a\r\n'a b' = 1\r\n+++", id="TOML with a quoted key"),
    ],
)
@pytest.mark.parametrize(
    "rest", ["", "{0}", "{0}{0}# One{0}{0}Text.{0}", "{0}Text.{0}{0}# One{0}", "{0}{0}    code{0}"]
)
def test_front_matter_is_the_start_of_the_first_section_and_comes_back(front: str, rest: str) -> None:
    eol = "\r\n" if "\r" in front else "\n"
    markdown = front + rest.format(eol)
    first, *others = split(markdown)
    assert first.title is None
    assert first.content.startswith(front)
    assert [other.title for other in others] == ["One"] * ("One" in markdown)
    assert compose([first, *others]) == (markdown if markdown.endswith(("\n", "\r")) else markdown + eol)


def test_front_matter_after_a_byte_order_mark_is_front_matter() -> None:
    assert split(f"{BOM}---\na: b\n---\n# One\n") == [Passage(None, 1, "---\na: b\n---"), Passage("One", 1, "")]


@pytest.mark.parametrize(
    "markdown",
    [
        pytest.param("---\n\nText.\n\n---\n\nMore.\n", id="thematic breaks"),
        pytest.param("---\n# Heading\n---\n", id="a heading between thematic breaks"),
        pytest.param("---\na: b\n\nText.\n", id="not closed"),
        pytest.param("---\na: b\n--- #\n----\n ---\n", id="closed by nothing that counts"),
        pytest.param("\n---\na: b\n---\n", id="not in the first line"),
        pytest.param(" ---\na: b\n---\n", id="indented"),
        pytest.param("----\na: b\n---\n", id="four hyphens"),
        pytest.param("--- a\na: b\n---\n", id="text after the hyphens"),
        pytest.param("- - -\na: b\n---\n", id="another thematic break"),
        pytest.param("---\n- a: b\n---\n", id="a list"),
        pytest.param("---\nhttp://a\n---\n", id="an address"),
        pytest.param("---\nThis is a long sentence: it says something.\n\n---\n", id="a sentence"),
        pytest.param("+++\na: b\n+++\n", id="YAML as TOML"),
        pytest.param("+++\na = 1\n---\n", id="TOML closed as YAML"),
        pytest.param("---", id="a thematic break alone"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_front_matter_is_commonmark(markdown: str) -> None:
    assert front_matter.length(markdown) == 0
    assert front_matter.title(markdown) is None
    passages = split(markdown)
    assert split(compose(passages)) == passages


@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize("eol", ["\n", "\r\n"])
def test_a_thematic_break_behind_a_blank_line_does_not_become_front_matter(blank: str, eol: str) -> None:
    markdown = f"{blank}{eol}---{eol}a: b{eol}{eol}---{eol}"
    assert compose(split(markdown)) == markdown
    assert front_matter.length(markdown) == 0


def test_a_thematic_break_at_the_start_stays_one_when_a_later_section_has_another() -> None:
    passages = [Passage(None, 1, "---\na: b"), Passage("One", 1, "c\n\n---")]
    assert compose(passages) == "\n---\na: b\n\n# One\n\nc\n\n---\n"
    assert split(compose(passages)) == passages


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["title: A"], "A"),
        (["title:   A  b \t"], "A b"),
        (["a: b", "title: A # a comment"], "A"),
        (["title: C#"], "C#"),
        (["title: A: b"], "A: b"),
        (["title: 2026"], "2026"),
        (['title: "A \\"b\\" \\u00e9\\x21 \\U0001F600 \\/ \\q"'], 'A "b" \u00e9! \U0001f600 / q'),
        (['title: "A', "  b \\", '  c" # d'], "A b c"),
        (["title: 'It''s A: b'"], "It's A: b"),
        (["title: 'A", "", "  b'"], "A b"),
        (["title: A", "  b", "c: d"], "A b"),
        (["title:", "  A", "c: d"], "A"),
        (["title: >-", "  A", "  b", "c: d"], "A b"),
        (["title: |", "  A # b", "", "  c", "d: e"], "A # b c"),
        (['"title": A'], "A"),
        (["title : A"], "A"),
        (["a: b", "junk", "title: A", "]"], "A"),
        (["title: A", "title: B"], "A"),
        # Nothing to be called by:
        (["subtitle: A"], None),
        (["a:", "  title: A"], None),
        (["Title: A"], None),
        (["title:"], None),
        (["title: # A"], None),
        (["title: ~"], None),
        (["title: ''"], None),
        (["title: null"], None),
        (["title:", "  en: A"], None),
        (["title:", "  - A"], None),
        (["title:", "- A"], None),
        (["title: [A]"], None),
        (["title: {a: b}"], None),
        (["a: &a A", "title: *a"], None),
        (["title: !!str A"], None),
        (['title: "A'], None),
        (["title: 'A"], None),
        (['title: "A\\0"'], None),
        (['title: "\\ud83d\\ude00"'], None),
        (["title: A", "a: b", "---", "title: B"], "A"),
    ],
)
def test_the_title_of_yaml_is_read_or_left_alone(lines: list[str], expected: str | None) -> None:
    assert title(*lines) == expected


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("title = 'A'", "A"),
        ('a = 1\ntitle = """\nA\nb"""', "A b"),
        ("title = 1", None),
        ("[a]\ntitle = 'A'", None),
        ("title = 'A'\njunk", None),
        ("a = " + "[" * 9_000, None),
        ("title = 'A'\na = '" + "x" * 10_000 + "'", None),
    ],
)
def test_the_title_of_toml_is_read_or_left_alone(toml: str, expected: str | None) -> None:
    assert front_matter.title(f"+++\n{toml}\n+++\n# Heading\n") == expected
    assert front_matter.title(f"+++\r\n{toml}\r\n+++") == expected


def test_yaml_that_would_grow_is_only_read_as_far_as_the_title() -> None:
    bomb = ["a: &a [x, x]", *(f"b{n}: &b{n} [*a, *a, *a]" for n in range(100))]
    assert title(*bomb, "title: A") == "A"
    assert title("title: " + "x" * 20_000) == "x" * front_matter.MAX_TITLE_SOURCE


@pytest.mark.skipif(not SPECIFICATION.exists(), reason=f"no GraphQL specification in {SPECIFICATION}")
@pytest.mark.parametrize("front", ["---\ntitle: A\n---\n\n", "+++\ntitle = 'A'\n+++\n"])
def test_front_matter_before_the_graphql_specification_comes_back(front: str) -> None:
    for file in SPECIFICATION.glob("*.md"):
        markdown = front + file.read_bytes().decode()
        exported = compose(split(markdown))
        assert exported.startswith(front.rstrip())
        assert compose(split(exported)) == exported
