"""The block parser for Markdown: markdown-it-py's CommonMark rules, with limits and without unused tokens."""

import re
import threading
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from functools import cache
from time import thread_time
from typing import Any, Literal

from markdown_it import MarkdownIt
from markdown_it.rules_block import (
    StateBlock,
    blockquote,
    code,
    fence,
    heading,
    hr,
    html_block,
    lheading,
    list_block,
    paragraph,
    reference,
)
from markdown_it.token import Token

# The parser skips text that is nested deeper than this, including headings. Its default of 20 is reached by a list of
# ten levels. The limit bounds the recursion, which takes three calls for each block.
MAX_NESTING = 100

VERBATIM = {"fence", "html_block"}
"""The types of blocks that can include blank lines."""

LINE_ENDING = re.compile(r"\r\n?|\n")

CHECK_INTERVAL = 256
"""The number of rule calls between two checks of the clock; most intervals are well under a millisecond."""

Rule = Callable[[StateBlock, int, int, bool], bool]


class LimitExceeded(Exception):
    """The text exceeds the budget; the message is a predicate that names the limit."""


class ParsingStopped(Exception):
    """The parser was stopped because nobody waits for its result."""


@dataclass
class Budget:
    """The budget for parsing, shared by all texts that are parsed with it; None means no limit.

    `seconds` is processor time of the parsing thread, so that a busy machine does not cause refusals. Any thread may
    call `stop`; the parser then soon raises `ParsingStopped`.
    """

    max_lines: int | None = None
    max_blocks: int | None = None
    max_sections: int | None = None
    seconds: float | None = None
    lines: int = 0
    blocks: int = 0
    headings: int = 0
    _calls: int = 0
    _started: float | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Stop the parser, because nobody waits for its result."""
        self._stopped.set()

    def add_lines(self, count: int) -> None:
        """Count the lines of a text before it is parsed."""
        self.lines += count
        _hold("has more than {:,} lines", self.lines, self.max_lines)

    def add_block(self) -> None:
        """Count a block, such as a paragraph, a list or a list item."""
        self.blocks += 1
        _hold("has more than {:,} blocks (paragraphs, items of lists, quotes ...)", self.blocks, self.max_blocks)

    def add_heading(self) -> None:
        """Count a heading that starts a section."""
        self.headings += 1
        _hold("makes more than {:,} sections", self.headings, self.max_sections)

    def tick(self) -> None:
        """Count a rule call, and check the budget every `CHECK_INTERVAL` calls."""
        self._calls += 1
        if self._calls % CHECK_INTERVAL == 0:
            self.check()

    def check(self) -> None:
        """Raise `ParsingStopped` if parsing was stopped, or `LimitExceeded` if the time is used up."""
        if self._stopped.is_set():
            raise ParsingStopped
        if self.seconds is None:
            return
        if self._started is None:
            self._started = thread_time()
        elif thread_time() - self._started > self.seconds:
            raise LimitExceeded(f"takes more than {self.seconds:g} seconds to parse")


def parse(
    text: str, budget: Budget, references: MutableMapping[str, Any] | None = None, *, inline: bool = False
) -> list[Token]:
    """Return the top-level headings, each with its inline token, and all blocks of `VERBATIM` types.

    The link reference definitions are added to `references` by label, each with `href`, `title` and `map`, its lines.
    With `inline`, the inline tokens of all headings and paragraphs are returned too. Lines are those of CommonMark,
    counted from 0. Raises `LimitExceeded` and `ParsingStopped`.
    """
    text = LINE_ENDING.sub("\n", text).replace("\0", "\ufffd")
    budget.check()
    budget.add_lines(text.count("\n"))
    parser = _parser()
    env = {"budget": budget, "references": {} if references is None else references, "inline": inline}
    state = _State(text, parser, env, [])
    parser.block.tokenize(state, 0, state.lineMax)
    return state.tokens


def _hold(reason: str, count: int, limit: int | None) -> None:
    if limit is not None and count > limit:
        raise LimitExceeded(reason.format(limit))


class _State(StateBlock):
    """A parser state that keeps only the tokens that `parse` returns.

    All tokens would take several hundred bytes for each list item, and a document can have very many items.
    """

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        budget: Budget = self.env["budget"]
        token = Token(ttype, tag, nesting, block=True)
        if nesting < 0:
            self.level -= 1
        token.level = self.level
        if nesting > 0:
            self.level += 1
        if nesting >= 0 and ttype != "inline":
            budget.add_block()
        begins_section = ttype == "heading_open" and token.level == 0
        if begins_section:
            budget.add_heading()
        in_section_heading = ttype == "inline" and bool(self.tokens) and self.tokens[-1].type == "heading_open"
        is_inline = ttype == "inline" and (in_section_heading or self.env["inline"])
        if begins_section or is_inline or ttype in VERBATIM:
            self.tokens.append(token)
        return token


def _counted(rule: Rule) -> Rule:
    """Return a rule for blocks that counts its calls."""

    def call(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        state.env["budget"].tick()
        return rule(state, start, end, silent)

    return call


@cache
def _parser() -> MarkdownIt:
    return bounded_parser()


def bounded_parser() -> MarkdownIt:
    """Return a CommonMark parser that counts every call of a rule for blocks, with the budget in its environment."""
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    interrupted: dict[str, tuple[Rule, list[str]]] = {
        "code": (code, []),
        "fence": (fence, interrupts),
        "blockquote": (_blockquote, interrupts),
        "hr": (hr, interrupts),
        "list": (list_block, interrupts[:3]),
        "reference": (_reference, []),
        "html_block": (html_block, interrupts[:3]),
        "heading": (heading, interrupts[:3]),
        "lheading": (lheading, []),
        "paragraph": (paragraph, []),
    }
    for name, (rule, alternatives) in interrupted.items():
        parser.block.ruler.at(name, _counted(rule), {"alt": alternatives})
    return parser


def _blockquote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""Parse a block quote with a lookahead of about its length.

    The rule scans all lines up to the next blank one before it parses the first. With many short quotes, such as
    "> # a\nb\n" repeated, this takes quadratic time. So the rule gets few lines at first, and more as long as it uses
    all of them. The length found for a quote is reused when the enclosing quote is parsed again.
    """
    if silent:
        return blockquote(state, start, end, silent)
    budget: Budget = state.env["budget"]
    reach: dict[tuple[int, int], int] = state.env.setdefault("reach", {})
    place, mark, blocks = (start, state.level), len(state.tokens), budget.blocks
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
        budget.blocks = blocks


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a link reference definition of at most a thousand lines.

    The rule copies the title for every line that it adds, which takes quadratic time after an unclosed quotation mark.
    """
    last = state.lineMax
    state.lineMax = min(last, start + 1000)
    found = reference(state, start, end, silent)
    state.lineMax = last
    return found
