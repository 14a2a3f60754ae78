"""Reverts: documents and sections get an earlier version back, as a new one."""

import strawberry

from resolvers import reverts as resolvers
from schema.documents import Document
from schema.results import result_of
from schema.sections import Section
from schema.view import View, field
from services import reverts


@strawberry.type(description="The section has the fields of the version, given back by this call or there before.")
class RevertSectionSuccess(View):
    """The success of revertSection."""

    represents = reverts.RevertSectionSuccess

    section: Section = field("The section.")
    is_changed: bool = field("Whether the call changed the section, and so made a new version.")


@strawberry.type(
    description="The document has the fields and the arrangement of the version, given back by this call or there "
    "before."
)
class RevertDocumentSuccess(View):
    """The success of revertDocument."""

    represents = reverts.RevertDocumentSuccess

    document: Document = field("The document.")
    is_changed: bool = field("Whether the call changed the document, and so made a new version.")
    missing_count: int = field(
        "The number of sections that the document held at that version and that did not come back, because they are in "
        "the trash, or you may not see them."
    )


@strawberry.type
class Mutations:
    """The mutation fields for reverts."""

    revert_section = result_of(
        resolvers.revert_section,
        "Give a section the title, level, text, status, tags and metadata of an earlier version back. This makes a new "
        "version; the versions since then stay in the history.",
        answer="The section, or the reason it was not reverted.",
    )
    revert_document = result_of(
        resolvers.revert_document,
        "Give a document the title, description, tags, metadata and arrangement of an earlier version back. This makes "
        "a new version; the versions since then stay in the history. The texts of the sections stay, because they can "
        "stand in other documents too: revertSection reverts them.",
        answer="The document, or the reason it was not reverted.",
    )
