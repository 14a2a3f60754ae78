"""Revisions: the earlier versions of documents and sections and their differences."""

from collections.abc import Sequence
from typing import Annotated

from strawberry import argument

from db.models import Document, DocumentRevision, Section, SectionRevision
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.paging import Connection
from db.revisions import REVISIONS
from resolvers.arguments import (
    After,
    Before,
    First,
    FirstSections,
    Last,
    LastSections,
)
from resolvers.context import Info, Parents
from services import limits, revisions, users
from services.diffs import Diff, DiffPart
from services.paging import page
from services.revisions import THEN
from services.users import User

Version = Annotated[int, argument(description="A version, which can be the present one.")]
FromVersion = Annotated[int, argument(description="The version with which to compare.", name="from")]
ToVersion = Annotated[
    int | None, argument(description="The version that is compared; without it, the present one.", name="to")
]


async def revisions_of_sections(
    info: Info,
    sections: Parents[Section],
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Sequence[Loaded[Connection[SectionRevision]]]:
    asked = page(REVISIONS[Section].order, first, after, last, before)
    return await revisions.of_sections(info.context.store, sections, asked)


async def revisions_of_documents(
    info: Info,
    documents: Parents[Document],
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Sequence[Loaded[Connection[DocumentRevision]]]:
    asked = page(REVISIONS[Document].order, first, after, last, before)
    return await revisions.of_documents(info.context.store, documents, asked)


async def sections_at(
    info: Info, sections: Parents[Section], version: Version
) -> Sequence[Loaded[SectionRevision | None]]:
    return await revisions.sections_at(info.context.store, sections, version)


async def documents_at(
    info: Info, documents: Parents[Document], version: Version
) -> Sequence[Loaded[DocumentRevision | None]]:
    return await revisions.documents_at(info.context.store, documents, version)


async def diffs_of_sections(
    info: Info, sections: Parents[Section], from_version: FromVersion, to_version: ToVersion = None
) -> Sequence[Diff | BaseException | None]:
    return await revisions.diffs_of_sections(info.context.store, sections, from_version, to_version)


async def diffs_of_documents(
    info: Info, documents: Parents[Document], from_version: FromVersion, to_version: ToVersion = None
) -> Sequence[Diff | BaseException | None]:
    return await revisions.diffs_of_documents(info.context.store, documents, from_version, to_version)


async def words(info: Info, diffs: Parents[Diff]) -> Sequence[Sequence[DiffPart]]:
    return [await diff.words() for diff in diffs]


async def unified(info: Info, diffs: Parents[Diff]) -> Sequence[str]:
    return [await diff.unified() for diff in diffs]


async def sections_then(
    info: Info,
    then: Parents[DocumentRevision],
    first: FirstSections = None,
    after: After = None,
    last: LastSections = None,
    before: Before = None,
) -> Sequence[Loaded[Connection[SectionRevision]]]:
    asked = page(THEN, first, after, last, before, largest=limits.LARGEST_SECTIONS_PAGE)
    return await revisions.sections_then(info.context.store, then, asked)


async def markdown_then(info: Info, then: Parents[DocumentRevision]) -> Sequence[str | BaseException]:
    return await revisions.markdown_then(info.context.store, then)


def editors(
    info: Info, states: Parents[SectionRevision | DocumentRevision]
) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    return users.of_ids(info.context.store, [state.edited_by for state in states])
