"""The trash: documents and sections are moved there, restored or purged."""

import strawberry

from db import purges
from resolvers import trash as resolvers
from schema.documents import Document
from schema.nodes import Connection
from schema.results import result_of
from schema.sections import Section
from schema.view import View, field, resolved_by
from services import trash


@strawberry.type(description="What a purge deleted permanently, as numbers.")
class Purged(View):
    """The counts of a purge."""

    represents = purges.Purged

    section_count: int = field(
        "The number of deleted sections. The purge of a document deletes only sections that are in no other document."
    )
    chat_count: int = field("The number of deleted chats, which belonged to the deleted sections.")
    message_count: int = field("The number of deleted messages, which belonged to the deleted chats.")


@strawberry.type(description="The document is in the trash.")
class TrashDocumentSuccess(View):
    """The success of trashDocument."""

    represents = trash.TrashDocumentSuccess

    document: Document = field("The document. Only users who may restore it can still see it.")


@strawberry.type(description="The document is no longer in the trash.")
class RestoreDocumentSuccess(View):
    """The success of restoreDocument."""

    represents = trash.RestoreDocumentSuccess

    document: Document = field("The document, as it was before it was moved to the trash.")


@strawberry.type(description="The document was deleted permanently.")
class PurgeDocumentSuccess(View):
    """The success of purgeDocument."""

    represents = trash.PurgeDocumentSuccess

    document_id: strawberry.ID = field("The id of the document, which no longer exists.")
    removed: Purged = field("What was deleted with the document.")


@strawberry.type(description="The section is in the trash.")
class TrashSectionSuccess(View):
    """The success of trashSection."""

    represents = trash.TrashSectionSuccess

    section: Section = field("The section. Only users who may restore it can still see it.")


@strawberry.type(description="The section is no longer in the trash.")
class RestoreSectionSuccess(View):
    """The success of restoreSection."""

    represents = trash.RestoreSectionSuccess

    section: Section = field("The section, at its previous position in each document.")


@strawberry.type(description="The section was deleted permanently.")
class PurgeSectionSuccess(View):
    """The success of purgeSection."""

    represents = trash.PurgeSectionSuccess

    section_id: strawberry.ID = field("The id of the section, which no longer exists.")
    removed: Purged = field("What was deleted, including the section itself.")


@strawberry.type
class Queries:
    """The query fields for the trash."""

    trashed_documents: Connection[Document] | None = resolved_by(
        resolvers.trashed_documents,
        "The documents in the trash of your workspace, most recently trashed first. Empty for users who may not "
        "restore them; null only if an error occurred.",
    )
    trashed_sections: Connection[Section] | None = resolved_by(
        resolvers.trashed_sections,
        "The sections in the trash of your workspace, most recently trashed first. Empty for users who may not restore "
        "them; null only if an error occurred.",
    )


@strawberry.type
class Mutations:
    """The mutation fields for the trash."""

    trash_document = result_of(
        resolvers.trash_document,
        "Move a document to the trash, which hides it. Its sections and their chats are kept. Safe to retry.",
        answer="The trashed document, or the reason it was not trashed.",
    )
    restore_document = result_of(
        resolvers.restore_document,
        "Restore a document from the trash, as it was before. Safe to retry.",
        answer="The restored document, or the reason it was not restored.",
    )
    purge_document = result_of(
        resolvers.purge_document,
        "Delete a trashed document permanently, with the sections that are in no other document, and their chats. A "
        "large document can take several calls: after TemporarilyUnavailable, send the same call again.",
        answer="What was deleted permanently, or the reason the document was not purged.",
    )
    trash_section = result_of(
        resolvers.trash_section,
        "Move a section to the trash, which hides it in all its documents. The section and its chat are kept. Safe to "
        "retry.",
        answer="The trashed section, or the reason it was not trashed.",
    )
    restore_section = result_of(
        resolvers.restore_section,
        "Restore a section from the trash, with its chat, to its previous positions. Safe to retry.",
        answer="The restored section, or the reason it was not restored.",
    )
    purge_section = result_of(
        resolvers.purge_section,
        "Delete a trashed section permanently, with its chat and messages, from every document that contains it. A "
        "very long chat can take several calls: after TemporarilyUnavailable, send the same call again.",
        answer="What was deleted permanently, or the reason the section was not purged.",
    )
