"""Markdown: a document taken apart into passages, one for each heading, and put together again."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from itertools import pairwise
from typing import Any, Protocol

from markdown_it.token import Token

from services import front_matter
from services.link_definitions import Definition, labels
from services.markdown_parser import LINE_ENDING, VERBATIM, Budget, parse

BOM = "\ufeff"
NBSP = "\u00a0"
BLANK = " \t\r\n"
BLANK_LINES = re.compile(r"(?:[ \t]*(?:\r\n?|\n))*")

# What a text must hold to leave a block open that blank lines can belong to.
VERBATIM_START = re.compile(r"```|~~~|<[!?]|<(?:script|pre|style|textarea)", re.IGNORECASE)

# How an HTML block that no blank line ends begins, and what ends it; the first that fits counts.
HTML_ENDS = {"<!--": "-->", "<![cdata[": "]]>", "<!": ">", "<?": "?>"}
HTML_ENDS |= {f"<{tag}": f"</{tag}>" for tag in ("script", "pre", "style", "textarea")}


@dataclass(frozen=True, slots=True)
class Passage:
    """A heading and the text beneath it: one section of a document before it is stored.

    `title` is the heading's inline Markdown, None for the text before the first heading; it has a line break
    where an underlined heading had one. `level` is 1 to 6. `content` is the source text beneath the heading,
    unchanged, without the blank lines around it and without its final line ending. `line` is where it begins in
    the source, counted from 1. `definitions` are the link reference definitions that it may use and that stand in
    other passages; None: it uses none at all.
    """

    title: str | None
    level: int
    content: str
    line: int = field(default=1, compare=False)
    definitions: Mapping[str, Definition] | None = field(default=None, compare=False)


class SectionText(Protocol):
    """What `compose` reads of a section: a passage has it, and so has a stored row."""

    @property
    def title(self) -> str | None:
        """The heading's inline Markdown, None where there is no heading."""

    @property
    def level(self) -> int:
        """The heading's level, 1 to 6."""

    @property
    def content(self) -> str:
        """The Markdown beneath the heading."""


def split(markdown: str, budget: Budget | None = None) -> list[Passage]:
    """Take a CommonMark document apart, one passage for each heading that stands in no other block.

    Text before the first heading is a passage without a title, and front matter is at its start; blank lines alone
    are none. Raises what `parse` does.
    """
    text = markdown.removeprefix(BOM)
    # A last line that is not ended means the same, but the parser fails on some ("> - <!--\n>").
    text += "" if text.endswith(("\r", "\n")) else "\n"
    body = front_matter.length(text)
    references: dict[str, Any] = {}
    tokens = parse(text[body:], budget or Budget(), references)
    lines = _lines(text)
    skipped = len(_lines(text[:body]))
    held = {skipped + token.map[1] for token in tokens if token.map and token.type in VERBATIM}

    passages: list[Passage] = []
    title, level, start, line = None, 1, 0, 0
    for token, inside in pairwise(tokens):
        if token.type == "heading_open" and token.map:
            passages.append(Passage(title, level, _cut(lines, start, skipped + token.map[0], held), line + 1))
            title, level, start, line = (
                inside.content,
                int(token.tag[1]),
                skipped + token.map[1],
                skipped + token.map[0],
            )
    passages.append(Passage(title, level, _cut(lines, start, len(lines), held), line + 1))
    if not passages[0].content:
        del passages[0]
    elif not body and front_matter.length(passages[0].content):
        # Blank lines before it keep it from being front matter; without one it would come back as that.
        first = next(number for number, row in enumerate(lines) if row.strip(BLANK))
        passages[0] = replace(passages[0], content=lines[first - 1] + passages[0].content)
    return _with_definitions(passages, references, skipped) if references else passages


def title(passages: Sequence[SectionText]) -> str | None:
    """Return the title of a document as one line: that of its front matter, or else its first heading."""
    if passages and passages[0].title is None and (found := front_matter.title(passages[0].content)):
        return found
    headings = (" ".join((passage.title or "").split()) for passage in passages)
    return next(filter(None, headings), None)


def compose(passages: Iterable[SectionText], budget: Budget | None = None) -> str:
    """Put a document together that `split` takes apart into these passages, and that renders as theirs did.

    Headings are written as `## Title`, or underlined where the title has a line break. A passage without a
    title gets an empty heading, unless it is the first. No heading is swallowed by what an edited passage
    left open: a fence or an HTML block gets the line that closes it, and everything else ends at the blank
    line or at the heading (but for blocks nested deeper than `MAX_NESTING`). Front matter at the start of the first
    passage is written as it is. Raises what `parse` does.
    """
    rows = list(passages)
    budget = budget or Budget()
    # After a "\r" a lone "\n" would not end another line.
    eol = "\r\n" if any("\r" in row.content for row in rows) else "\n"
    parts: list[str] = []
    gap = ""
    for number, row in enumerate(rows, start=1):
        front = 0
        if row.title is not None or number > 1:
            parts += gap, _heading(row.title or "", row.level, eol), eol
            gap = eol
        else:
            front = front_matter.length(row.content)
        content, closed = _contained(row.content, front, eol, number == len(rows), budget)
        if content:
            parts += gap, content, eol
            gap = eol if closed else ""
    text = "".join(parts)
    first = rows[0].content if rows and rows[0].title is None else ""
    if front_matter.length(text) and not front_matter.length(first):
        # A thematic break and what came to stand after it are no front matter behind a blank line.
        return (_blank_lines(first, 0) or eol) + text
    # At the very start the character would be taken for a byte order mark, and dropped.
    return eol + text if text.startswith(BOM) else text


def _heading(title: str, level: int, eol: str) -> str:
    rows = LINE_ENDING.split(title)
    if len(rows) > 1 and level <= 2:
        # White space is trimmed from a title, and may be all that kept its first or last line from being a
        # list, a rule or an underline. A no-break space does that again, and is trimmed again.
        for edge in ("", NBSP):
            heading = eol.join([edge + rows[0], *rows[1:-1], rows[-1] + edge, "=-"[level - 1] * 3])
            if split(heading) == [Passage("\n".join(rows), level, "")]:
                return heading
    # Nothing but an underlined heading can hold a line break.
    title = " ".join(row for row in map(str.strip, rows) if row) if len(rows) > 1 else title
    # A run of "#" at the end, alone or after a space, is taken for decoration, unless decoration follows it.
    text = title.rstrip("#")
    decoration = " #" if text != title and (not text or text[-1] in " \t") else ""
    return f"{'#' * level} {title}{decoration}" if title else "#" * level


def _contained(content: str, front: int, eol: str, last: bool, budget: Budget) -> tuple[str, bool]:
    """Return the content so that a heading can follow it, and whether a blank line can, too.

    Its first `front` characters, and the blank lines after them, stay as they are.
    """
    if front:
        front += len(_blank_lines(content, front))
        rest, closed = _contained(content[front:], 0, eol, last, budget)
        return (content[:front] + rest if rest else content[:front].rstrip("\r\n")), closed
    lines = _lines(content + eol)
    block = _left_open(content, budget)
    if block is None:
        return _cut(lines, 0, len(lines)), True
    if last or block.level > 0:
        # Open in a list, the block would take the blank line; the heading ends the list, and the block too.
        return _cut(lines, 0, len(lines), {len(lines)}), False
    opening = block.content.lstrip().lower()
    closing = block.markup or next(end for start, end in HTML_ENDS.items() if opening.startswith(start))
    return f"{_cut(lines, 0, len(lines))}{eol}{closing}", True


def _left_open(content: str, budget: Budget) -> Token | None:
    """Return the fence or HTML block that a blank line after the content would belong to."""
    if not VERBATIM_START.search(content):
        return None
    text = content + "\n\n"
    blocks = [token for token in parse(text, budget) if token.type in VERBATIM]
    return blocks[-1] if blocks and blocks[-1].map and blocks[-1].map[1] == len(_lines(text)) else None


def _with_definitions(passages: list[Passage], references: Mapping[str, Any], skipped: int) -> list[Passage]:
    """Return the passages with the definitions that each may use; those were found `skipped` lines further up."""
    ends = [*(passage.line for passage in passages[1:]), None]
    found = []
    for passage, end in zip(passages, ends, strict=True):
        used = references.keys() & labels(passage.title, passage.content).keys()
        elsewhere = {}
        for label in sorted(used):
            line = references[label]["map"][0] + skipped + 1
            if line < passage.line or (end is not None and line >= end):
                elsewhere[label] = Definition(references[label]["href"], references[label]["title"])
        found.append(replace(passage, definitions=elsewhere) if used else passage)
    return found


def _blank_lines(text: str, start: int) -> str:
    found = BLANK_LINES.match(text, start)
    return found[0] if found else ""


def _lines(text: str) -> list[str]:
    # Not str.splitlines: form feeds and other characters it splits at end no line in Markdown.
    return StringIO(text, newline="").readlines()


def _cut(lines: list[str], start: int, stop: int, held: Collection[int] = ()) -> str:
    """Join lines without the blank ones around them; those up to a line in `held` belong to a block."""
    while start < stop and not lines[start].strip(BLANK):
        start += 1
    while start < stop and not lines[stop - 1].strip(BLANK) and stop not in held:
        stop -= 1
    return "".join(lines[start:stop]).removesuffix("\n").removesuffix("\r")
