"""Sections: reading, creating and changing them."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry
from strawberry import argument
from strawberry.scalars import JSON

from db import ids
from db.documents import NEWEST_FIRST, SectionEdge
from db.models import ChatSession, Document, Section, SectionStatus
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.paging import Connection
from resolvers.arguments import (
    CALLER_ID,
    METADATA,
    TAGS,
    After,
    Before,
    DocId,
    ExpectedVersion,
    Fields,
    First,
    Last,
    SectionId,
    Summary,
    optional,
)
from resolvers.context import Info, Parents
from resolvers.placements import Position, at_of
from services import chats, documents, html, limits, sections
from services.paging import page
from services.sections import CreateSectionResult, CreateSectionSuccess, UpdateSectionResult

TITLE = (
    f"The heading, one non-blank line of at most {limits.TITLE_LENGTH:,} characters; null for a section without one."
)
CONTENT = f"The text below the heading, as Markdown of at most {limits.CONTENT_LENGTH:,} characters."


class Changes(Fields):
    """What a client changes of a section; `schema/sections.py` makes it an input type."""

    title: str | None = optional(TITLE)
    level: int | None = optional("The level of the heading, 1 to 6.")
    content: str | None = optional(CONTENT)
    status: SectionStatus | None = optional(
        "The editorial status. A draft or a generated section can be reviewed, and a reviewed one approved; all can "
        "become drafts again, and all but approved ones generated."
    )
    tags: list[str] | None = optional(TAGS)
    details: JSON | None = optional(METADATA, name="metadata")


class NewSection(Changes):
    """A section as a client has it; `schema/sections.py` makes it an input type."""

    id: strawberry.ID | None = optional(CALLER_ID)

    def of_section(self) -> tuple[str | None, dict[str, Any]]:
        """Return the id that the caller chose, with its prefix, and the other fields."""
        given = self.given()
        own_id = given.pop("id", None)
        return (None if own_id is None else ids.with_prefix(ids.SECTION, own_id)), given


SectionInput = Annotated[NewSection, argument(description="The new section. A field that is left out has its default.")]
SectionChanges = Annotated[Changes, argument(description="What to change. A field that is left out stays.")]


def section(info: Info, id: SectionId) -> AwaitableOrValue[Section | None]:
    return sections.section(info.context.store, id)


def chats_of_sections(info: Info, placed: Parents[Section]) -> AwaitableOrValue[Sequence[Loaded[ChatSession | None]]]:
    return chats.of_sections(info.context.store, placed)


async def documents_of_sections(
    info: Info,
    placed: Parents[Section],
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Sequence[Loaded[Connection[Document]]]:
    return await sections.documents_of(info.context.store, placed, page(NEWEST_FIRST, first, after, last, before))


async def html_of_sections(info: Info, placed: Parents[Section]) -> Sequence[str | Exception]:
    return await html.of_sections(placed)


async def create_section(info: Info, doc_id: DocId, section: SectionInput, at: Position = None) -> CreateSectionResult:
    own_id, fields = section.of_section()
    return await sections.create_section(info.context.store, doc_id, fields, at_of(at), own_id)


async def update_section(
    info: Info,
    section_id: SectionId,
    changes: SectionChanges,
    expected_version: ExpectedVersion = None,
    summary: Summary = None,
) -> UpdateSectionResult:
    return await sections.update_section(info.context.store, section_id, changes.given(), expected_version, summary)


def created_edges(info: Info, created: Parents[CreateSectionSuccess]) -> Sequence[SectionEdge | None]:
    return [sections.edge(each.section, each.placement) if each.placement else None for each in created]


def changed_documents(
    info: Info, changes: Parents[CreateSectionSuccess]
) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_ids(info.context.store, [each.document_id for each in changes])
