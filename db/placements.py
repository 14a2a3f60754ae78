"""Placements: the sections of a document in their order, and the transaction that arranges them."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, literal, select, tuple_, update

from db import positions, revisions
from db.ids import is_findable
from db.inserts import values
from db.locks import Transaction, lock_for_change, lock_for_share
from db.models import Document, FormerPlacement, Placement, Section, attributes
from db.positions import LONGEST_POSITION, Malformed
from db.reading import visibility
from db.reading.sql_arrays import any_of
from db.rearranging import Held, Plan, plan
from db.revisions import Change

_ORDER = (Placement.position, Placement.section_id)


class Side(Enum):
    """Where a section goes: to an end of the document, or beside another section."""

    FIRST = "first"
    LAST = "last"
    BEFORE = "before"
    AFTER = "after"


class At(NamedTuple):
    """A place in the order of a document."""

    side: Side
    neighbour: str | None = None
    """The id of the section beside it, for `BEFORE` and `AFTER`."""


LAST = At(Side.LAST)


class _Gap(NamedTuple):
    """The positions between which a section goes; None: an end of the document."""

    start: str | None
    end: str | None

    def holds(self, position: str) -> bool:
        return (self.start is None or self.start < position) and (self.end is None or position < self.end)


class Arrangement:
    """The order of a document's sections, while one transaction arranges it. The first change makes a new version.

    Chats of the sections can open meanwhile.
    """

    def __init__(self, transaction: Transaction, document: Document, by: Change) -> None:
        self.document = document
        self._transaction = transaction
        self._session = transaction.session
        self._by = by
        self._is_changed = False
        self._here = (Placement.workspace_id == transaction.workspace_id, Placement.document_id == document.id)

    @classmethod
    async def lock(cls, transaction: Transaction, document_id: str, by: Change) -> Self | None:
        """Lock a document for one transaction that arranges it. None: it does not exist or is trashed."""
        document = await lock_for_change(transaction, Document, document_id)
        return None if document is None else cls(transaction, document, by)

    async def order(self) -> Sequence[str]:
        """Read the ids of all sections, in reading order."""
        return (await self._session.scalars(select(Placement.section_id).where(*self._here).order_by(*_ORDER))).all()

    async def placement(self, section_id: str) -> Placement | None:
        """Read the placement of a section. None: the document does not hold it."""
        return await self._session.scalar(select(Placement).where(*self._of(section_id)))

    async def place(self, section_id: str, at: At = LAST, *, is_copy: bool = False) -> Placement | None:
        """Place a section that the document does not hold. None: it does not hold the neighbour either."""
        gap = await self._gap(at)
        if gap is None:
            return None
        await self._change()
        return await self._insert(section_id, await self._position(gap, at), is_copy=is_copy)

    async def move(self, moved: Placement, at: At) -> Placement | None:
        """Move a placed section; one that is there already stays. None: the document does not hold the neighbour."""
        gap = await self._gap(at, without=moved.section_id)
        if gap is None:
            return None
        if gap.holds(moved.position):
            return moved
        await self._change()
        return await self._put(moved.section_id, await self._position(gap, at, without=moved.section_id))

    async def remove(self, section_id: str) -> bool:
        """Remove a section. False: the document does not hold it."""
        this = self._of(section_id)
        # The lock waits for a transaction that opens a chat here. The delete is a new statement and sees that chat.
        if (await self._transaction.lock(Placement, select(Placement.section_id).where(*this))).first() is None:
            return False
        await self._change()
        await self._keep(*this)
        await self._session.execute(delete(Placement).where(*this).execution_options(synchronize_session=False))
        return True

    async def replace(self, section_id: str, other_id: str) -> Placement | None:
        """Put another section in the place of one, which is removed. None: the other does not exist or is trashed.

        The document holds the first. If it holds the other as well, the other moves.
        """
        # Locked before the section, as the lock order wants, and as in `remove`.
        old = self._of(section_id)
        position = (await self._transaction.lock(Placement, select(Placement.position).where(*old))).scalar_one()
        if not await lock_for_share(self._transaction, other_id):
            return None
        is_held = await self.placement(other_id) is not None
        await self._change()
        await self._keep(*old)
        await self._session.execute(delete(Placement).where(*old).execution_options(synchronize_session=False))
        return await (self._put if is_held else self._insert)(other_id, position)

    async def _put(self, section_id: str, position: str) -> Placement:
        """Give a placed section another position."""
        this = self._of(section_id)
        await self._keep(*this)
        stored = await self._session.execute(
            update(Placement)
            .where(*this)
            .values(position=position, since_version=self.document.version)
            .returning(Placement)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        return stored.scalar_one()

    async def plan(self, wanted: Sequence[str]) -> Plan:
        """Plan how the document gets an order of sections in which as few as possible of them move."""
        is_live = visibility.live_section(self._transaction.workspace_id)
        query = select(*_ORDER, is_live).join(Section, visibility.placed_section()).where(*self._here)
        rows = (await self._session.execute(query.order_by(*_ORDER))).all()
        return plan(wanted, [Held(*row) for row in rows])

    async def lock_removed(self, plan: Plan) -> None:
        """Lock the placements that a plan removes: they precede sections in the lock order."""
        gone = select(Placement.section_id).where(*self._here, any_of(Placement.section_id, plan.removed))
        # As in `remove`.
        await self._transaction.lock(Placement, gone.order_by(Placement.section_id))

    async def carry_out(self, plan: Plan) -> None:
        """Carry out a plan: the sections that it places exist, and what it removes is locked."""
        if not plan.positions and not plan.removed:
            return
        await self._change()
        placed = set(plan.placed)
        put = {section_id: at for section_id, at in plan.positions.items() if section_id not in placed}
        await self._keep(*self._here, any_of(Placement.section_id, [*plan.removed, *put]))
        gone = delete(Placement).where(*self._here, any_of(Placement.section_id, plan.removed))
        await self._session.execute(gone.execution_options(synchronize_session=False))
        if put:
            await self._put_all(put)
        if plan.placed:
            common = {
                "workspace_id": self.document.workspace_id,
                "document_id": self.document.id,
                "since_version": self.document.version,
            }
            rows = [{**common, "section_id": each, "position": plan.positions[each]} for each in plan.placed]
            await self._session.execute(insert(Placement), rows)
        await record_removals(self._transaction, self.document.id, plan.removed)

    async def _insert(self, section_id: str, position: str, *, is_copy: bool = False) -> Placement:
        placed = Placement(
            workspace_id=self.document.workspace_id,
            document_id=self.document.id,
            section_id=section_id,
            position=position,
            is_copy=is_copy,
            since_version=self.document.version,
        )
        stored = await self._session.execute(insert(Placement).values(values(placed)).returning(Placement))
        return stored.scalar_one()

    async def change(self, **fields: Any) -> None:
        """Change fields of the document in the same version, before it is arranged."""
        if fields:
            await self._change(**fields)

    async def _change(self, **fields: Any) -> None:
        if not self._is_changed:
            self.document = await revisions.change(self._transaction, self.document, self._by, **fields)
            self._is_changed = True

    async def _keep(self, *which: ColumnElement[bool]) -> None:
        """Keep the positions that placements had before this version of the document."""
        kept = [name for name in attributes(FormerPlacement) if name not in ("created_at", "updated_at")]
        version = self.document.version
        of_placement = {"until_version": literal(version)}
        columns: list[Any] = [of_placement.get(name, getattr(Placement, name, None)) for name in kept]
        former = select(*columns).where(*which, Placement.since_version < version)
        await self._session.execute(insert(FormerPlacement).from_select(kept, former))

    async def _position(self, gap: _Gap, at: At, without: str = "") -> str:
        """Make a position in the gap of a place. If there is no short one, first give all sections new positions."""
        position = _between(gap)
        if position is None:
            await self._rebalance()
            rebalanced = await self._gap(at, without)
            position = None if rebalanced is None else _between(rebalanced)
        if position is None:
            raise AssertionError("positions that were just made leave no gap")
        return position

    async def _rebalance(self) -> None:
        """Give all sections new, short positions in the same order."""
        ordered = await self.order()
        await self._keep(*self._here)
        await self._put_all(dict(zip(ordered, positions.after(None, len(ordered)), strict=True)))

    async def _put_all(self, made: Mapping[str, str]) -> None:
        """Give placed sections other positions, by section id."""
        connection = await self._session.connection()  # the ORM treats an executemany update differently
        await connection.execute(
            update(Placement)
            .where(*self._here, Placement.section_id == bindparam("placed"))
            .values(position=bindparam("made"), since_version=self.document.version),
            [{"placed": section_id, "made": position} for section_id, position in made.items()],
        )

    async def _gap(self, at: At, without: str = "") -> _Gap | None:
        """Return the gap at a place, as if the section `without` did not stand in the document.

        None: the document does not hold the neighbour.
        """
        others = (*self._here, Placement.section_id != without)
        match at.side:
            case Side.FIRST:
                return _Gap(None, await self._session.scalar(select(func.min(Placement.position)).where(*others)))
            case Side.LAST:
                return _Gap(await self._session.scalar(select(func.max(Placement.position)).where(*others)), None)
        if not is_findable(at.neighbour or ""):
            return None
        beside = select(*_ORDER).where(*others, Placement.section_id == at.neighbour)
        neighbour = (await self._session.execute(beside)).one_or_none()
        if neighbour is None:
            return None
        is_before = at.side is Side.BEFORE
        place = tuple_(*(literal(value) for value in neighbour))
        further = select(Placement.position).where(
            *others, tuple_(*_ORDER) < place if is_before else tuple_(*_ORDER) > place
        )
        closest = further.order_by(*(column.desc() if is_before else column.asc() for column in _ORDER)).limit(1)
        other = await self._session.scalar(closest)
        return _Gap(other, neighbour.position) if is_before else _Gap(neighbour.position, other)

    def _of(self, section_id: str) -> Sequence[ColumnElement[bool]]:
        return (*self._here, Placement.section_id == section_id)


async def copy_text(transaction: Transaction, section_id: str, copy: Section) -> bool:
    """Give a new section the text of another, and what belongs to it. False: the other does not exist or is trashed."""
    copied = [Section.title, Section.level, Section.content, Section.status, Section.tags, Section.details]
    found = await transaction.session.execute(
        select(*copied, Section.link_definitions).where(
            visibility.live_section(transaction.workspace_id), Section.id == section_id
        )
    )
    row = found.one_or_none()
    if row is None:
        return False
    for column, value in zip((*copied, Section.link_definitions), row, strict=True):
        setattr(copy, column.key, value)
    return True


async def record_removal(transaction: Transaction, document_id: str, section_id: str) -> bool:
    """Record the document from which a section is removed. False: the section does not exist or is trashed."""
    return bool(await record_removals(transaction, document_id, [section_id]))


async def record_removals(transaction: Transaction, document_id: str, section_ids: Sequence[str]) -> Sequence[str]:
    """Record the document from which sections are removed. Returns those that exist and are not trashed."""
    if not section_ids:
        return []
    transaction.reach(Section)
    recorded = await transaction.session.execute(
        update(Section)
        .where(visibility.live_section(transaction.workspace_id), any_of(Section.id, section_ids))
        .values(removed_from=document_id)
        .returning(Section.id)
        .execution_options(synchronize_session=False)
    )
    return recorded.scalars().all()


def _between(gap: _Gap) -> str | None:
    """Make a position in a gap. None: there is no short one, or the positions around the gap are damaged."""
    try:
        (position,) = positions.between(gap.start, gap.end, 1)
    except Malformed:
        return None
    return position if len(position) <= LONGEST_POSITION else None
