"""Rearranging: how the sections of a document get another order, with as few moves as possible."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from db import positions
from db.positions import LONGEST_POSITION, Malformed


class Held(NamedTuple):
    """A section that a document holds."""

    position: str
    section_id: str
    is_live: bool
    """Whether it is not in the trash."""


class Plan(NamedTuple):
    """How a document gets another order: the ids of the sections that are placed, moved and removed."""

    placed: Sequence[str]
    moved: Sequence[str]
    removed: Sequence[str]
    positions: Mapping[str, str]
    """The new positions, of placed and moved sections and, if there was no room between two, of all others."""


def plan(wanted: Sequence[str], held: Sequence[Held]) -> Plan:
    """Plan how a document gets the wanted sections in their order. `held` has its present ones in theirs.

    Sections in the trash stay.
    """
    wanted = _with_trashed(wanted, held)
    there = {each.section_id: (number, each.position) for number, each in enumerate(held)}
    kept = [section_id for section_id in wanted if section_id in there]
    staying = {kept[n] for n in longest_increasing([there[section_id][0] for section_id in kept])}
    wanted_ids = set(wanted)
    made = _positions(wanted, {section_id: there[section_id][1] for section_id in staying})
    return Plan(
        placed=[section_id for section_id in wanted if section_id not in there],
        moved=[section_id for section_id in kept if section_id not in staying],
        removed=[section_id for section_id in there if section_id not in wanted_ids],
        positions={each: at for each, at in made.items() if each not in there or there[each][1] != at},
    )


def longest_increasing(numbers: Sequence[int]) -> Sequence[int]:
    """Return the places of a longest increasing subsequence of different numbers."""
    ends: list[int] = []  # of the best subsequence of each length, the place of its last number
    smallest: list[int] = []
    before: list[int | None] = []
    for place, number in enumerate(numbers):
        length = bisect_left(smallest, number)
        before.append(ends[length - 1] if length else None)
        smallest[length : length + 1] = [number]
        ends[length : length + 1] = [place]
    found: list[int] = []
    last = ends[-1] if ends else None
    while last is not None:
        found.append(last)
        last = before[last]
    return found[::-1]


def _with_trashed(wanted: Sequence[str], held: Sequence[Held]) -> Sequence[str]:
    """Return an order with the trashed sections of a document, each behind the same section as now: they stay."""
    known, behind, last = set(wanted), defaultdict[str, list[str]](list), ""
    for _, section_id, is_live in held:
        if not is_live:
            behind[last].append(section_id)
        elif section_id in known:
            last = section_id
    return [*behind[""], *chain.from_iterable((section_id, *behind[section_id]) for section_id in wanted)]


def _positions(wanted: Sequence[str], staying: Mapping[str, str]) -> Mapping[str, str]:
    """Return positions for an order in which some sections keep theirs, or new ones for all if there is no room."""
    made: dict[str, str] = {}
    start: str | None = None
    run: list[str] = []
    try:
        for section_id in [*wanted, None]:
            if section_id is not None and section_id not in staying:
                run.append(section_id)
                continue
            end = None if section_id is None else staying[section_id]
            if end is not None and start is not None and end <= start:
                raise Malformed(start, end)
            made |= zip(run, positions.between(start, end, len(run)), strict=True)
            if section_id is not None and end is not None:
                made[section_id], start, run = end, end, []
        if all(len(position) <= LONGEST_POSITION for position in made.values()):
            return made
    except Malformed:
        pass
    return dict(zip(wanted, positions.after(None, len(wanted)), strict=True))
