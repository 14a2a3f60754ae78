"""Markdown: splits a document into passages, one for each heading, and composes passages into a document."""

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

# A text without any of these cannot leave a block open that includes blank lines.
VERBATIM_START = re.compile(r"```|~~~|<[!?]|<(?:script|pre|style|textarea)", re.IGNORECASE)

# The start and the end of HTML blocks that a blank line does not end; the first match applies.
HTML_ENDS = {"<!--": "-->", "<![cdata[": "]]>", "<!": ">", "<?": "?>"}
HTML_ENDS |= {f"<{tag}": f"</{tag}>" for tag in ("script", "pre", "style", "textarea")}


@dataclass(frozen=True, slots=True)
class Passage:
    """A heading and the text below it: one section of a document before it is stored.

    `title` is the heading's inline Markdown, or None for the text before the first heading; it keeps the line breaks of
    an underlined heading. `level` is 1 to 6. `content` is the source text below the heading, unchanged, without
    surrounding blank lines and the final line ending. `line` is the first line of the passage in the source, counted
    from 1. `definitions` are the link reference definitions in other passages that the passage may use; None if it
    uses no definitions at all.
    """

    title: str | None
    level: int
    content: str
    line: int = field(default=1, compare=False)
    definitions: Mapping[str, Definition] | None = field(default=None, compare=False)


class SectionText(Protocol):
    """The attributes that `compose` reads; passages and stored rows have them."""

    @property
    def title(self) -> str | None:
        """The heading's inline Markdown; None without a heading."""

    @property
    def level(self) -> int:
        """The heading's level, 1 to 6."""

    @property
    def content(self) -> str:
        """The Markdown below the heading."""


def split(markdown: str, budget: Budget | None = None) -> list[Passage]:
    """Split a CommonMark document into passages, one for each top-level heading.

    Text before the first heading is a passage without a title, which starts with the front matter; blank lines alone
    are no passage. Raises the exceptions of `parse`.
    """
    text = markdown.removeprefix(BOM)
    # A final line ending does not change the meaning, but without one the parser fails on some texts ("> - <!--\n>").
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
        # A blank line before the text keeps it from being read as front matter.
        first = next(number for number, row in enumerate(lines) if row.strip(BLANK))
        passages[0] = replace(passages[0], content=lines[first - 1] + passages[0].content)
    return _with_definitions(passages, references, skipped) if references else passages


def title(passages: Sequence[SectionText]) -> str | None:
    """Return the title of a document as one line: the title in its front matter, or else its first heading."""
    if passages and passages[0].title is None and (found := front_matter.title(passages[0].content)):
        return found
    headings = (" ".join((passage.title or "").split()) for passage in passages)
    return next(filter(None, headings), None)


def compose(passages: Iterable[SectionText], budget: Budget | None = None) -> str:
    """Compose a document that `split` splits into the same passages, and that renders as their source did.

    Headings are written as `## Title`, or underlined if the title has a line break. A passage without a title gets an
    empty heading, unless it is the first. A block left open by an edited passage does not swallow the next heading: a
    fence or an HTML block gets a closing line, and every other block ends at the blank line or at the heading, except
    blocks nested deeper than `MAX_NESTING`. Front matter at the start of the first passage is written unchanged. Raises
    the exceptions of `parse`.
    """
    rows = list(passages)
    budget = budget or Budget()
    # After "\r", a single "\n" would not end a second line.
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
        # After a blank line, a thematic break and the text below it are not front matter.
        return (_blank_lines(first, 0) or eol) + text
    # At the start of the text, the character would be dropped as a byte order mark.
    return eol + text if text.startswith(BOM) else text


def _heading(title: str, level: int, eol: str) -> str:
    rows = LINE_ENDING.split(title)
    if len(rows) > 1 and level <= 2:
        # Parsing trims the white space of a title, and only that white space may have kept its first or last line from
        # being a list, a thematic break or an underline. A no-break space has the same effect, and is trimmed too.
        for edge in ("", NBSP):
            heading = eol.join([edge + rows[0], *rows[1:-1], rows[-1] + edge, "=-"[level - 1] * 3])
            if split(heading) == [Passage("\n".join(rows), level, "")]:
                return heading
    # Only an underlined heading can contain a line break.
    title = " ".join(row for row in map(str.strip, rows) if row) if len(rows) > 1 else title
    # A run of "#" at the end, alone or after a space, is parsed as a closing sequence, unless another one follows.
    text = title.rstrip("#")
    decoration = " #" if text != title and (not text or text[-1] in " \t") else ""
    return f"{'#' * level} {title}{decoration}" if title else "#" * level


def _contained(content: str, front: int, eol: str, last: bool, budget: Budget) -> tuple[str, bool]:
    """Return the content in a form that a heading can follow, and whether a blank line can follow it too.

    The first `front` characters and the blank lines after them stay unchanged.
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
        # A block that is open in a list would include the blank line; the heading ends both the list and the block.
        return _cut(lines, 0, len(lines), {len(lines)}), False
    opening = block.content.lstrip().lower()
    closing = block.markup or next(end for start, end in HTML_ENDS.items() if opening.startswith(start))
    return f"{_cut(lines, 0, len(lines))}{eol}{closing}", True


def _left_open(content: str, budget: Budget) -> Token | None:
    """Return the fence or HTML block that would include a blank line after the content."""
    if not VERBATIM_START.search(content):
        return None
    text = content + "\n\n"
    blocks = [token for token in parse(text, budget) if token.type in VERBATIM]
    return blocks[-1] if blocks and blocks[-1].map and blocks[-1].map[1] == len(_lines(text)) else None


def _with_definitions(passages: list[Passage], references: Mapping[str, Any], skipped: int) -> list[Passage]:
    """Return the passages with the definitions they may use; lines of `references` start after `skipped` lines."""
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
    # Not str.splitlines: it splits at form feeds and other characters that do not end a line in Markdown.
    return StringIO(text, newline="").readlines()


def _cut(lines: list[str], start: int, stop: int, held: Collection[int] = ()) -> str:
    """Join lines without surrounding blank lines; blank lines up to a line in `held` belong to a block and are kept."""
    while start < stop and not lines[start].strip(BLANK):
        start += 1
    while start < stop and not lines[stop - 1].strip(BLANK) and stop not in held:
        stop -= 1
    return "".join(lines[start:stop]).removesuffix("\n").removesuffix("\r")
