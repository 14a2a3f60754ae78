"""Finding: lists of the documents and sections of the workspace, with filters and in several orders."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import argument

from db import ids
from db.finding import FOUND, Filter, OrderBy, SectionFilter
from db.models import Document, Section, SectionStatus
from db.reading.paging import Connection
from resolvers.arguments import After, Before, Fields, First, Last, optional
from resolvers.context import Info
from services import finding
from services.paging import page

By = Annotated[OrderBy, argument(description="The order, with the latest first.")]


class Wanted(Fields):
    """What a client looks for; `schema/finding.py` makes it an input type."""

    title_contains: str | None = optional("A part of the title. The letters A to Z match in either case.")
    tags: list[str] | None = optional("Tags, all of which are there.")
    updated_since: datetime | None = optional("Only what changed at this time or later.")
    created_by: strawberry.ID | None = optional(
        "Only what the user with this id created. The prefix user_ is optional."
    )

    def fields(self) -> dict[str, Any]:
        """Return the fields of a filter; null is as good as left out."""
        given = {name: value for name, value in self.given().items() if value is not None}
        if "created_by" in given:
            given["created_by"] = given["created_by"].removeprefix(ids.USER)
        return given


class WantedSections(Wanted):
    """What sections a client looks for; `schema/finding.py` makes it an input type."""

    status: SectionStatus | None = optional("Only sections with this status.")
    has_chat: bool | None = optional("Only sections with a chat, or only those without.")
    is_placed: bool | None = optional("Only sections that stand in a document, or only those that stand in none.")


DocumentFilter = Annotated[Wanted | None, argument(description="Which documents to return; without it, all.")]
SectionsFilter = Annotated[WantedSections | None, argument(description="Which sections to return; without it, all.")]


async def documents(
    info: Info,
    filter: DocumentFilter = None,
    order_by: By = OrderBy.CREATED,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Connection[Document]:
    wanted = Filter(**filter.fields()) if filter else Filter()
    asked = page(FOUND[Document, order_by].order, first, after, last, before)
    return await finding.documents(info.context.store, wanted, order_by, asked)


async def sections(
    info: Info,
    filter: SectionsFilter = None,
    order_by: By = OrderBy.CREATED,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Connection[Section]:
    wanted = SectionFilter(**filter.fields()) if filter else SectionFilter()
    asked = page(FOUND[Section, order_by].order, first, after, last, before)
    return await finding.sections(info.context.store, wanted, order_by, asked)
