"""Roles: what a principal may do with each of some documents or sections, read in one statement for all of them.

`Principal.role_on` decides about a document. On a section, the highest role on any document that holds it counts.
A section that stands in no document is used through the one that it was last removed from.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, null, select

from db.connection.database import Database
from db.ids import is_findable
from db.models import Document, Placement, Section
from db.principals import Principal, Role
from db.reading import visibility
from db.reading.lookup_chain import LookupChain
from db.reading.rows import Part
from db.reading.sql_arrays import is_key, unnested
from db.reading.statements import statement
from db.reading.visibility import Reach, Viewer


class Standing(NamedTuple):
    """The role of a principal on an object, and whether the object is in the trash."""

    role: Role
    is_trashed: bool


async def on_documents(database: Database, principal: Principal, ids: Sequence[str]) -> Mapping[str, Standing]:
    """Read the roles on documents, in the trash or not. Without a role there is no entry, as without a document."""
    found = {}
    for document, granted in await _rows(_ON_DOCUMENTS, database, principal, ids):
        if role := principal.role_on(document, granted):
            found[document.id] = Standing(role, document.deleted_at is not None)
    return found


async def on_sections(database: Database, principal: Principal, ids: Sequence[str]) -> Mapping[str, Standing]:
    """Read the roles on sections, in the trash or not. Without a role there is no entry, as without a section."""
    sections: dict[str, Section] = {}
    roles: dict[str, set[Role]] = defaultdict(set)
    for section, placement, document, granted in await _rows(_ON_SECTIONS, database, principal, ids):
        if section is None:
            continue
        sections[section.id] = section
        if principal.role is Role.OWNER:
            roles[section.id].add(Role.OWNER)
        elif document is None:
            was_never_placed = placement is None and section.removed_from is None
            if was_never_placed and principal.documents is None and principal.role is not None:
                roles[section.id].add(principal.role)
        elif role := principal.role_on(document, granted):
            roles[section.id].add(role)
    return {
        section_id: Standing(max(of_section), sections[section_id].deleted_at is not None)
        for section_id, of_section in roles.items()
    }


async def _rows(
    source: "_OnDocuments | _OnSections", database: Database, principal: Principal, ids: Sequence[str]
) -> list[tuple[Any, ...]]:
    viewer = Viewer.of(principal)
    given = {**viewer.given, "keys": [row_id for row_id in ids if is_findable(row_id)]}
    return await statement(source, viewer.shape, database.dialect_of_reads).rows(database, given)


_DOCUMENT = Part(Document, ("id", "access", "created_by", "deleted_at"))
_PLACEMENT = Part(Placement, ("document_id",))
_SECTION = Part(Section, ("id", "removed_from", "deleted_at"))


class _OnDocuments:
    """The statement that reads what decides the roles on documents."""

    def build(self, dialect: str, shape: visibility.Shape) -> tuple[Select[Any], Sequence[Part]]:
        """Build the statement."""
        viewer = visibility.parameters(shape)
        query = select(*_DOCUMENT.of(Document), _granted(viewer, Document.id))
        return query.where(Document.workspace_id == viewer.workspace, is_key(Document.id)), [_DOCUMENT]


class _OnSections:
    """The statement that reads what decides the roles on sections: a row for each document that holds one."""

    def build(self, dialect: str, shape: visibility.Shape) -> tuple[Select[Any], Sequence[Part]]:
        """Build the statement."""
        viewer, asked = visibility.parameters(shape), unnested(dialect)
        here = viewer.workspace
        chain = LookupChain(dialect, asked)
        section = chain.add(_SECTION, Section, Section.workspace_id == here, Section.id == asked.c.value)
        placement = chain.add(
            _PLACEMENT, Placement, Placement.workspace_id == here, Placement.section_id == section("id")
        )
        holder = func.coalesce(placement("document_id"), section("removed_from"))
        document = chain.add(_DOCUMENT, Document, Document.workspace_id == here, Document.id == holder)
        columns = [*chain.columns, _granted(viewer, document("id"))]
        return select(*columns).select_from(chain.joined), [_SECTION, _PLACEMENT, _DOCUMENT]


_ON_DOCUMENTS, _ON_SECTIONS = _OnDocuments(), _OnSections()


def _granted(viewer: Viewer, document_id: Any) -> ColumnElement[Any]:
    if viewer.shape.reach in (Reach.OPEN, Reach.GRANTED):
        return visibility.granted_role(viewer, document_id).label("granted")
    return null().label("granted")
