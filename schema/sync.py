"""Sync: a document is brought to what its editor shows now."""

import strawberry

from resolvers import sync as resolvers
from schema.documents import Document
from schema.results import result_of
from schema.view import View, field
from services import sync


@strawberry.type(description="The document is what its editor shows. The ids tell what this call did for that.")
class SyncDocumentSuccess(View):
    """The success of syncDocument."""

    represents = sync.SyncDocumentSuccess

    document: Document = field("The document.")
    is_changed: bool = field("Whether the call changed anything.")
    created: list[strawberry.ID] = field("The ids of the sections that were created.")
    updated: list[strawberry.ID] = field("The ids of the sections that existed and got other fields.")
    placed: list[strawberry.ID] = field("The ids of the sections that existed and were not in the document.")
    moved: list[strawberry.ID] = field("The ids of the sections that moved within the document: as few as possible.")
    removed: list[strawberry.ID] = field(
        "The ids of the sections that were removed from the document. They are kept with their chats, and come back "
        "with them when their ids are sent again."
    )
    unchanged_count: int = field("The number of sections for which nothing was done.")


@strawberry.type
class Mutations:
    """The mutation fields for syncs."""

    sync_document = result_of(
        resolvers.sync_document,
        "Bring a document to what its editor shows now, in one transaction: create the sections with new ids, change "
        "those that differ, put them in this order, and remove those that are left out. Chats stay with the ids of "
        "their sections. What is sent again changes nothing.",
        answer="What was done, or the reason nothing was.",
    )
