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

BOM = "\ufeff"
NBSP = "\u00a0"
LINE_ENDING = re.compile(r"\r\n?|\n")

# Beneath so many blocks within blocks the parser skips all that follows, headings too. Its own limit of 20 is
# reached by a list of ten levels.
MAX_NESTING = 100

# The blocks that keep blank lines, and what in a text may begin one that is never closed.
VERBATIM = {"fence", "html_block"}
VERBATIM_START = re.compile(r"```|~~~|<[!?]|<(?:script|pre|style|textarea)", re.IGNORECASE)

# How an HTML block that a blank line does not end begins, and what ends it; the first that fits counts.
HTML_ENDS = {
    "<!--": "-->",
    "<![cdata[": "]]>",
    "<!": ">",
    "<?": "?>",
    "<script": "</script>",
    "<pre": "</pre>",
    "<style": "</style>",
    "<textarea": "</textarea>",
}


@dataclass(frozen=True, slots=True)
class Passage:
    """A heading and the text beneath it: one section of a document before it is stored.

    `title` is the heading's inline Markdown, `None` for the text before the first heading, and has a line
    break only where a setext heading had one. `content` is the source text beneath the heading, unchanged,
    without the blank lines around it and without the final line ending.
    """

    title: str | None
    level: int
    content: str


class SectionText(Protocol):
    """What `compose` reads of a section: a passage has it, and so has a stored row."""

    @property
    def title(self) -> str | None:
        """The heading's inline Markdown, if there is a heading."""

    @property
    def level(self) -> int:
        """The heading's level, 1 to 6."""

    @property
    def content(self) -> str:
        """The Markdown beneath the heading."""


def split(markdown: str) -> list[Passage]:
    """Take a CommonMark document apart, one passage for each heading that stands in no other block.

    Text before the first heading is a passage of its own, without a title; blank lines alone are not.
    """
    # A byte order mark is no text; left in, it would hide a heading on the first line.
    text = markdown.removeprefix(BOM)
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
    """Put a document together that `split` takes apart into these passages and that renders as the original.

    Headings are written as `## Title`, or underlined where the title has a line break. What a passage leaves
    open never reaches the next heading: a fence or an HTML block is closed with the line that was missing
    (not at the end of the document, where nothing follows), any other block ends by itself at the blank line or
    at the heading. A passage without a title that is not the first gets an empty heading.
    """
    rows = list(passages)
    # A lone "\n" would melt with a "\r" at the end of a content into one line ending.
    eol = "\r\n" if any("\r" in row.content for row in rows) else "\n"
    parts: list[str] = []
    gap = ""
    for number, row in enumerate(rows, start=1):
        if row.title is not None or number > 1:
            parts += gap, _heading(row.title or "", row.level, eol), eol
            gap = eol
        block = _left_open(row.content)
        closing = _closing(block) if block and block.level == 0 and number < len(rows) else ""
        lines = _lines(row.content + eol)
        content = _cut(lines, 0, len(lines), held={len(lines)} if block and not closing else ())
        if content:
            parts += gap, content, eol
            # A blank line would become part of a block left open in a list; the heading alone ends the list.
            gap = eol if block is None or closing else ""
        if closing:
            parts += closing, eol
    text = "".join(parts)
    # At the very start it would be taken for a byte order mark.
    return eol + text if text.startswith(BOM) else text


def _heading(title: str, level: int, eol: str) -> str:
    rows = LINE_ENDING.split(title)
    if len(rows) > 1 and level <= 2:
        wanted = [Passage("\n".join(rows), level, "")]
        # White space that is trimmed from the title may have kept its first or last line from being a list,
        # a rule or an underline; a no-break space does so again, and is trimmed again.
        for edge in ("", NBSP):
            heading = eol.join([edge + rows[0], *rows[1:-1], rows[-1] + edge, "=-"[level - 1] * 3])
            if split(heading) == wanted:
                return heading
    # No heading of another kind can hold a line break.
    title = " ".join(row for row in map(str.strip, rows) if row) if len(rows) > 1 else title
    text = title.rstrip("#")
    # A run of "#" at the end, after a space or alone, would be taken for decoration: decorate it.
    closing = " #" if text != title and (not text or text[-1] in " \t") else ""
    return f"{'#' * level} {title}{closing}".rstrip(" ")


def _left_open(content: str) -> Token | None:
    """Return the fence or HTML block that would swallow a blank line after the content."""
    if not VERBATIM_START.search(content):
        return None
    probe = content + "\n\n"
    blocks = [token for token in _parser().parse(probe) if token.type in VERBATIM]
    return blocks[-1] if blocks and blocks[-1].map and blocks[-1].map[1] == len(_lines(probe)) else None


def _closing(block: Token) -> str:
    if block.type == "fence":
        return block.markup
    start = block.content.lstrip().lower()
    return next(end for opening, end in HTML_ENDS.items() if start.startswith(opening))


def _lines(text: str) -> list[str]:
    # str.splitlines would also split at form feeds and other characters that end no line in Markdown.
    return StringIO(text, newline="").readlines()


def _cut(lines: list[str], start: int, stop: int, held: Collection[int]) -> str:
    """Join the lines without the blank ones around them, except those before a line where a block in `held` ends."""
    while start < stop and not lines[start].strip(" \t\r\n"):
        start += 1
    while start < stop and not lines[stop - 1].strip(" \t\r\n") and stop not in held:
        stop -= 1
    return "".join(lines[start:stop]).removesuffix("\n").removesuffix("\r")


@cache
def _parser() -> MarkdownIt:
    """Return a parser of blocks: what stands inside a paragraph makes no section."""
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).disable(["inline", "text_join"])
    parser.block.ruler.at("blockquote", _blockquote, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.block.ruler.at("reference", _reference)
    return parser


def _blockquote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""Parse a block quote, looking ahead only about as far as it reaches.

    The rule claims every line up to the next blank one before it looks at the first: where many short quotes
    follow each other, as in "> # a\nb\n" repeated, time goes with the square of the lines. So it gets few lines
    at first and more as long as it takes them all; what was learnt also serves when an outer quote tries again.
    """
    reach: dict[tuple[int, int], int] = state.env.setdefault("reach", {})
    place, mark = (start, state.level), len(state.tokens)
    while True:
        ahead = reach.get(place, 8)
        stop = min(start + ahead, end)
        found = blockquote(state, start, stop, silent)
        if silent or not found or state.line < stop:
            return found
        reach[place] = ahead * 4
        if stop == end:
            return found
        del state.tokens[mark:]


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a link reference definition of up to a thousand lines.

    The rule copies a title whole for each line it adds: a quotation mark that is never closed would take a
    time that goes with the square of the lines after it.
    """
    last = state.lineMax
    state.lineMax = min(last, start + 1000)
    found = reference(state, start, end, silent)
    state.lineMax = last
    return found
