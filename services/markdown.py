"""Markdown: a document taken apart into passages, one for each heading, and put together again."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from io import StringIO
from itertools import pairwise
from typing import Protocol

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, blockquote, reference
from markdown_it.token import Token

# Where blocks stand in blocks as deep as this, the parser skips what follows, headings and all. Its own limit
# is 20, which a list of ten levels reaches; it is there for the recursion, which takes three calls a block.
MAX_NESTING = 100

BOM = "\ufeff"
NBSP = "\u00a0"
BLANK = " \t\r\n"
LINE_ENDING = re.compile(r"\r\n?|\n")

# The blocks that blank lines can belong to, and what a text must hold to leave one of them open.
VERBATIM = {"fence", "html_block"}
VERBATIM_START = re.compile(r"```|~~~|<[!?]|<(?:script|pre|style|textarea)", re.IGNORECASE)

# How an HTML block that no blank line ends begins, and what ends it; the first that fits counts.
HTML_ENDS = {"<!--": "-->", "<![cdata[": "]]>", "<!": ">", "<?": "?>"}
HTML_ENDS |= {f"<{tag}": f"</{tag}>" for tag in ("script", "pre", "style", "textarea")}


@dataclass(frozen=True, slots=True)
class Passage:
    """A heading and the text beneath it: one section of a document before it is stored.

    `title` is the heading's inline Markdown, None for the text before the first heading; it has a line break
    where an underlined heading had one. `level` is 1 to 6. `content` is the source text beneath the heading,
    unchanged, without the blank lines around it and without its final line ending.
    """

    title: str | None
    level: int
    content: str


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


def split(markdown: str) -> list[Passage]:
    """Take a CommonMark document apart, one passage for each heading that stands in no other block.

    Text before the first heading is a passage without a title; blank lines alone are none.
    """
    text = markdown.removeprefix(BOM)
    # A last line that is not ended means the same, but the parser fails on some ("> - <!--\n>").
    text += "" if text.endswith(("\r", "\n")) else "\n"
    lines = _lines(text)
    tokens = _parser().parse(text)
    held = {token.map[1] for token in tokens if token.map and token.type in VERBATIM}

    passages: list[Passage] = []
    title, level, start = None, 1, 0
    for token, inside in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            passages.append(Passage(title, level, _cut(lines, start, token.map[0], held)))
            title, level, start = inside.content, int(token.tag[1]), token.map[1]
    passages.append(Passage(title, level, _cut(lines, start, len(lines), held)))
    return passages if passages[0].content else passages[1:]


def compose(passages: Iterable[SectionText]) -> str:
    """Put a document together that `split` takes apart into these passages, and that renders as theirs did.

    Headings are written as `## Title`, or underlined where the title has a line break. A passage without a
    title gets an empty heading, unless it is the first. No heading is swallowed by what an edited passage
    left open: a fence or an HTML block gets the line that closes it, and everything else ends at the blank
    line or at the heading (but for blocks nested deeper than `MAX_NESTING`).
    """
    rows = list(passages)
    # After a "\r" a lone "\n" would not end another line.
    eol = "\r\n" if any("\r" in row.content for row in rows) else "\n"
    parts: list[str] = []
    gap = ""
    for number, row in enumerate(rows, start=1):
        if row.title is not None or number > 1:
            parts += gap, _heading(row.title or "", row.level, eol), eol
            gap = eol
        content, closed = _contained(row.content, eol, last=number == len(rows))
        if content:
            parts += gap, content, eol
            gap = eol if closed else ""
    text = "".join(parts)
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


def _contained(content: str, eol: str, last: bool) -> tuple[str, bool]:
    """Return the content so that a heading can follow it, and whether a blank line can, too."""
    lines = _lines(content + eol)
    block = _left_open(content)
    if block is None:
        return _cut(lines, 0, len(lines)), True
    if last or block.level > 0:
        # Open in a list, the block would take the blank line; the heading ends the list, and the block too.
        return _cut(lines, 0, len(lines), {len(lines)}), False
    opening = block.content.lstrip().lower()
    closing = block.markup or next(end for start, end in HTML_ENDS.items() if opening.startswith(start))
    return f"{_cut(lines, 0, len(lines))}{eol}{closing}", True


def _left_open(content: str) -> Token | None:
    """Return the fence or HTML block that a blank line after the content would belong to."""
    if not VERBATIM_START.search(content):
        return None
    text = content + "\n\n"
    blocks = [token for token in _parser().parse(text) if token.type in VERBATIM]
    return blocks[-1] if blocks and blocks[-1].map and blocks[-1].map[1] == len(_lines(text)) else None


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


@cache
def _parser() -> MarkdownIt:
    """Return a parser of blocks only, in time that is linear in the text."""
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).disable(["inline", "text_join"])
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.at("blockquote", _blockquote, {"alt": interrupts})
    parser.block.ruler.at("reference", _reference)
    return parser


def _blockquote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""Parse a block quote, looking ahead only about as far as it reaches.

    The rule claims every line up to the next blank one before it looks at the first: with many short quotes,
    as in "> # a\nb\n" repeated, time goes with the square of the lines. So it gets few lines at first, and
    more as long as it uses them up; what was learnt about a quote serves when the one around it tries again.
    """
    if silent:
        return blockquote(state, start, end, silent)
    reach: dict[tuple[int, int], int] = state.env.setdefault("reach", {})
    place, mark = (start, state.level), len(state.tokens)
    while True:
        ahead = reach.get(place, 4)
        stop = min(start + ahead, end)
        found = blockquote(state, start, stop, silent)
        if not found or state.line < stop:
            return found
        reach[place] = ahead * 4
        if stop == end:
            return found
        del state.tokens[mark:]


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a link reference definition of at most a thousand lines.

    The rule copies the title with every line it adds: after a quotation mark that is never closed, time
    would go with the square of the lines.
    """
    last = state.lineMax
    state.lineMax = min(last, start + 1000)
    found = reference(state, start, end, silent)
    state.lineMax = last
    return found
