"""Finding: lists of the documents and sections of the workspace, with filters and in several orders."""

import strawberry

from db.finding import OrderBy
from resolvers import finding as resolvers
from schema.documents import Document
from schema.nodes import Connection
from schema.sections import Section
from schema.view import enum_of, input_of, resolved_by

enum_of(
    OrderBy,
    "An order of documents or sections, with the latest first.",
    {
        OrderBy.CREATED: "By the time at which they were created.",
        OrderBy.UPDATED: "By the time of their last change.",
    },
)
input_of(
    resolvers.Wanted, "DocumentFilter", "What documents must have in common. A field that is left out matches all."
)
input_of(
    resolvers.WantedSections,
    "SectionFilter",
    "What sections must have in common. A field that is left out matches all.",
)


@strawberry.type
class Queries:
    """The query fields that list documents and sections."""

    documents: Connection[Document] | None = resolved_by(
        resolvers.documents, "The documents that you may see, the latest first; null only if an error occurred."
    )
    sections: Connection[Section] | None = resolved_by(
        resolvers.sections,
        "The sections that you may see, placed or not, the latest first; null only if an error occurred.",
    )
