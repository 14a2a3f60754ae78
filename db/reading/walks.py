"""Walks: reading a table along a key in stretches, each an index range that every engine finds directly.

A key of two columns has a parent and its children, such as a chat and its messages. A stretch then covers some
children of one parent, or all children of some parents. PostgreSQL cannot end an index range of two columns that
begins with one parent and ends with another.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

Key = tuple[InstrumentedAttribute[Any], ...]
"""The columns of the walk; the first is the workspace."""


class Place(NamedTuple):
    """The position of a walk: after a row. `inside` a parent: after one of its children, or before all (None)."""

    row: Any
    inside: bool = False
    child: Any = None


class Stretch(NamedTuple):
    """A stretch of a walk: the condition for its rows, and where the walk continues, if there is more."""

    within: Sequence[ColumnElement[bool]]
    end: Place | None


async def stretch(session: AsyncSession, key: Key, workspace_id: str, after: Place | None, size: int) -> Stretch:
    """Find the next rows of a workspace: about `size`, and no more."""
    named, first, *rest = key
    ours = named == workspace_id
    if after is not None and after.inside:
        return await _inside(session, [ours, first == after.row], rest[0], after, size)
    within = [ours] if after is None else [ours, first > after.row]
    last = await _nth(session, key[1:], within, size)
    if last is None:
        return Stretch(within, None)
    if not rest:
        return Stretch([*within, first <= last[0]], Place(last[0]))
    nearest = await _nth(session, key[1:2], within, 1)
    if nearest is None or nearest[0] != last[0]:
        # All children of the parents before this one. Its own children follow; there may be very many.
        return Stretch([*within, first < last[0]], Place(last[0], inside=True))
    return await _inside(session, [ours, first == last[0]], rest[0], Place(last[0], inside=True), size)


async def _inside(
    session: AsyncSession,
    of_parent: Sequence[ColumnElement[bool]],
    child: InstrumentedAttribute[Any],
    after: Place,
    size: int,
) -> Stretch:
    within = [*of_parent] if after.child is None else [*of_parent, child > after.child]
    last = await _nth(session, [child], within, size)
    if last is None:
        return Stretch(within, Place(after.row))
    return Stretch([*within, child <= last[0]], Place(after.row, inside=True, child=last[0]))


async def _nth(
    session: AsyncSession, columns: Sequence[InstrumentedAttribute[Any]], within: Sequence[ColumnElement[bool]], n: int
) -> Sequence[Any] | None:
    return (await session.execute(select(*columns).where(*within).order_by(*columns).offset(n - 1).limit(1))).first()
