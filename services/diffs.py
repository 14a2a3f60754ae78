"""Diffs: what changed between two texts, by lines and by words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from diff_match_patch import diff_match_patch

from services.markdown_parser import Budget
from services.worker import Worker

CONTEXT_LINES = 3
"""The equal lines that a unified diff shows before and after each change."""

TIMEOUT_S = 1.0
"""After this time, a comparison of texts takes what it has found, which may be coarser than it could be."""

PENDING_LENGTH = 50_000_000
"""The most characters of running and waiting comparisons in a process."""

_WORDS = re.compile(r"\w+|[^\S\n]+|\n|[^\w\s]")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_SURROGATES = range(0xD800, 0xE000)
_CHARACTERS = 0x110000 - len(_SURROGATES)

# One comparison at a time, in a thread, so that long texts do not block the event loop.
comparisons = Worker("diff", PENDING_LENGTH)


class Change(StrEnum):
    """What happened to a part of a text."""

    EQUAL = "EQUAL"
    DELETED = "DELETED"
    INSERTED = "INSERTED"


_CHANGES = {0: Change.EQUAL, -1: Change.DELETED, 1: Change.INSERTED}


@dataclass(frozen=True)
class DiffPart:
    """A part of a text, and what happened to it."""

    change: Change
    text: str


@dataclass(frozen=True)
class Diff:
    """Two texts, and what they are called."""

    before: str
    after: str
    before_name: str
    after_name: str

    async def words(self) -> Sequence[DiffPart]:
        """Return the parts of both texts, compared word by word."""
        return await comparisons.run(len(self.before) + len(self.after), Budget(), lambda: _words(self))

    async def unified(self) -> str:
        """Return a unified diff, compared line by line; empty if the texts are equal."""
        return await comparisons.run(len(self.before) + len(self.after), Budget(), lambda: _unified(self))


class _Line(NamedTuple):
    change: Change
    text: str


def _words(diff: Diff) -> Sequence[DiffPart]:
    parts = _compared(_WORDS.findall(diff.before), _WORDS.findall(diff.after), is_readable=True)
    return [DiffPart(change, "".join(texts)) for change, texts in parts]


def _unified(diff: Diff) -> str:
    parts = _compared(_LINES.findall(diff.before), _LINES.findall(diff.after))
    lines = [_Line(change, text) for change, texts in parts for text in texts]
    # How many lines of each text there are up to a line.
    before = [0, *accumulate(line.change is not Change.INSERTED for line in lines)]
    after = [0, *accumulate(line.change is not Change.DELETED for line in lines)]
    hunks = [
        f"@@ -{_range(before, start, stop)} +{_range(after, start, stop)} @@\n{_marked(lines[start:stop])}"
        for start, stop in _stretches(lines)
    ]
    return "".join([f"--- {diff.before_name}\n", f"+++ {diff.after_name}\n", *hunks]) if hunks else ""


def _stretches(lines: Sequence[_Line]) -> Iterator[tuple[int, int]]:
    """Yield where changes begin and end, with the lines around them; changes that are close are in one stretch."""
    changed = [number for number, line in enumerate(lines) if line.change is not Change.EQUAL]
    start = stop = None
    for number in changed:
        if start is None or stop is None:
            start = max(0, number - CONTEXT_LINES)
        elif number - CONTEXT_LINES > stop:
            yield start, stop
            start = number - CONTEXT_LINES
        stop = min(len(lines), number + 1 + CONTEXT_LINES)
    if start is not None and stop is not None:
        yield start, stop


def _range(counts: Sequence[int], start: int, stop: int) -> str:
    count = counts[stop] - counts[start]
    first = counts[start] + (count > 0)
    return f"{first}" if count == 1 else f"{first},{count}"


def _marked(lines: Sequence[_Line]) -> str:
    marks = {Change.EQUAL: " ", Change.DELETED: "-", Change.INSERTED: "+"}
    return "".join(f"{marks[line.change]}{_ended(line.text)}" for line in lines)


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _compared(
    before: Sequence[str], after: Sequence[str], *, is_readable: bool = False
) -> Iterator[tuple[Change, Sequence[str]]]:
    """Yield runs of tokens of both texts, and what happened to them.

    `is_readable`: equal tokens between many changes count as changed too, as people would see them.
    """
    if len({*before, *after}) >= _CHARACTERS:
        yield from ((Change.DELETED, before), (Change.INSERTED, after))
        return
    # The library compares characters, so each different token is written as one.
    tokens: dict[str, str] = {}
    written = ["".join(tokens.setdefault(token, _character(len(tokens))) for token in text) for text in (before, after)]
    meaning = {character: token for token, character in tokens.items()}
    engine = diff_match_patch()
    engine.Diff_Timeout = TIMEOUT_S
    found = engine.diff_main(*written, False)
    if is_readable:
        engine.diff_cleanupSemantic(found)
    for operation, characters in found:
        yield _CHANGES[operation], [meaning[character] for character in characters]


def _character(number: int) -> str:
    return chr(number if number < _SURROGATES.start else number + len(_SURROGATES))
