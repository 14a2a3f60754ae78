"""Reference links in Markdown (`[text][label]`, `[label][]`, `[label]`): locates their labels in the source."""

from bisect import bisect_right
from collections.abc import Callable, MutableMapping
from functools import cache
from io import StringIO
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.common.utils import normalizeReference
from markdown_it.rules_inline import StateInline, image, link

from services.markdown_parser import Budget, parse


class ReferenceLink(NamedTuple):
    """A link or image by reference: its normalized label, and the part of the source that names the label.

    The source from `start` to `end` is `[label]` or `[]`, or empty if the text of the link is its label.
    """

    start: int
    end: int
    label: str


def reference_links(
    markdown: str, references: MutableMapping[str, Any], budget: Budget, *, is_inline: bool = False
) -> list[ReferenceLink]:
    """Return the links and images whose labels are in `references`, in source order.

    The definitions in the text are added to `references` first. `is_inline` is for the text of a heading.
    """
    env: dict[str, Any] = {"references": references, "budget": budget}
    if is_inline:
        return _inline_links(markdown, env)
    lines = StringIO(markdown, newline="").readlines()
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found: list[ReferenceLink] = []
    for token in parse(markdown + "\n", budget, env["references"], inline=True):
        if token.type == "inline" and token.map:
            places = _places(token.content, lines, starts, token.map[0])
            for at in _inline_links(token.content, env):
                start, end = places(at.start), places(at.end)
                if start is not None and end is not None:
                    found.append(ReferenceLink(start, end, at.label))
    return found


def _places(content: str, lines: list[str], starts: list[int], first: int) -> Callable[[int], int | None]:
    """Return a function that maps an offset in the content of a block to the source, or to None if it is not found.

    Each line of the content is the end of a line of the source, except for white space and the marks of a heading.
    """
    begins: list[int] = [0]
    offsets: list[int | None] = []
    for number, row in enumerate(content.split("\n"), first):
        column = lines[number].rfind(row) if number < len(lines) else -1
        offsets.append(None if column < 0 else starts[number] + column - begins[-1])
        begins.append(begins[-1] + len(row) + 1)

    def place(at: int) -> int | None:
        offset = offsets[bisect_right(begins, at) - 1]
        return None if offset is None else offset + at

    return place


def _inline_links(source: str, env: dict[str, Any]) -> list[ReferenceLink]:
    env |= {"base": 0, "found": []}
    parser = _parser()
    parser.inline.parse(source, parser, env, [])
    return sorted(env["found"])


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark")
    parser.inline.ruler.at("link", _link)
    parser.inline.ruler.at("image", _image)
    return parser


def _link(state: StateInline, silent: bool) -> bool:
    return _noted(link, state, silent, state.pos)


def _image(state: StateInline, silent: bool) -> bool:
    return _noted(image, state, silent, state.pos + 1)


def _noted(rule: Callable[[StateInline, bool], bool], state: StateInline, silent: bool, start: int) -> bool:
    """Run a rule whose label starts at `start`, and record the reference link that it finds."""
    state.env["budget"].tick()
    if silent:
        return rule(state, silent)
    is_candidate = state.src[start : start + 1] == "["
    label_end = state.md.helpers.parseLinkLabel(state, start, rule is link) if is_candidate else -1
    base: int = state.env["base"]
    if rule is image:
        state.env["base"] = base + start + 1  # the description is parsed as a separate text
    found = rule(state, silent)
    state.env["base"] = base
    if found and label_end >= 0 and state.src[state.pos - 1] == "]":
        tail = state.src[label_end + 1 : state.pos]
        label = normalizeReference(tail[1:-1] or state.src[start + 1 : label_end])
        state.env["found"].append(ReferenceLink(base + label_end + 1, base + state.pos, label))
    return found
