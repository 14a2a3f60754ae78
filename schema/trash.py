"""The trash: what is moved there, restored, and purged."""

import strawberry

from db import purges
from resolvers import trash as resolvers
from schema.documents import Document
from schema.nodes import Connection
from schema.results import result_of
from schema.sections import Section
from schema.view import View, field, resolved_by
from services import trash


@strawberry.type(description="How much a purge removed for good.")
class Purged(View):
    """What a purge removed."""

    represents = purges.Purged

    section_count: int = field("How many sections are gone: those that stood in no other document.")
    chat_count: int = field("How many chats are gone with them.")
    message_count: int = field("How many messages are gone with those.")


@strawberry.type(description="A document is in the trash.")
class TrashDocumentSuccess(View):
    """The success of trashDocument."""

    represents = trash.TrashDocumentSuccess

    document: Document = field("The document; only those who may restore it can still see it.")


@strawberry.type(description="A document is out of the trash.")
class RestoreDocumentSuccess(View):
    """The success of restoreDocument."""

    represents = trash.RestoreDocumentSuccess

    document: Document = field("The document, as it was before it was moved to the trash.")


@strawberry.type(description="A document is gone for good.")
class PurgeDocumentSuccess(View):
    """The success of purgeDocument."""

    represents = trash.PurgeDocumentSuccess

    document_id: strawberry.ID = field("The id of the document, which no longer exists.")
    removed: Purged = field("What was removed with the document.")


@strawberry.type(description="A section is in the trash.")
class TrashSectionSuccess(View):
    """The success of trashSection."""

    represents = trash.TrashSectionSuccess

    section: Section = field("The section; only those who may restore it can still see it.")


@strawberry.type(description="A section is out of the trash.")
class RestoreSectionSuccess(View):
    """The success of restoreSection."""

    represents = trash.RestoreSectionSuccess

    section: Section = field("The section, which stands where it stood before.")


@strawberry.type(description="A section is gone for good.")
class PurgeSectionSuccess(View):
    """The success of purgeSection."""

    represents = trash.PurgeSectionSuccess

    section_id: strawberry.ID = field("The id of the section, which no longer exists.")
    removed: Purged = field("What was removed with the section, itself included.")


@strawberry.type
class Queries:
    """What can be read of the trash."""

    trashed_documents: Connection[Document] | None = resolved_by(
        resolvers.trashed_documents,
        "The documents in the trash of your workspace, the latest first; empty for those who may not restore them; "
        "null only if an error occurred.",
    )
    trashed_sections: Connection[Section] | None = resolved_by(
        resolvers.trashed_sections,
        "The sections in the trash of your workspace, the latest first; empty for those who may not restore them; "
        "null only if an error occurred.",
    )


@strawberry.type
class Mutations:
    """What can be done with the trash."""

    trash_document = result_of(
        resolvers.trash_document,
        "Move a document to the trash, where nobody sees it. Its sections and their chats are kept. Safe to repeat.",
        answer="The document, which is in the trash, or why it is not.",
    )
    restore_document = result_of(
        resolvers.restore_document,
        "Restore a document from the trash, as it was before. Safe to repeat.",
        answer="The document, which is out of the trash, or why it is not.",
    )
    purge_document = result_of(
        resolvers.purge_document,
        "Remove a document in the trash for good, with the sections that stand in no other document, and their chats. "
        "A large one can take several calls: after TemporarilyUnavailable, send the same call again.",
        answer="What was removed for good, or why nothing was.",
    )
    trash_section = result_of(
        resolvers.trash_section,
        "Move a section to the trash, where nobody sees it in any of its documents. It and its chat are kept. Safe to "
        "repeat.",
        answer="The section, which is in the trash, or why it is not.",
    )
    restore_section = result_of(
        resolvers.restore_section,
        "Restore a section from the trash: it stands where it stood, with its chat. Safe to repeat.",
        answer="The section, which is out of the trash, or why it is not.",
    )
    purge_section = result_of(
        resolvers.purge_section,
        "Remove a section in the trash for good, with its chat and messages, from every document in which it stands. "
        "One with a very long chat can take several calls: after TemporarilyUnavailable, send the same call again.",
        answer="What was removed for good, or why nothing was.",
    )
