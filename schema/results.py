"""Results: what each mutation can answer, the success first."""

from typing import Annotated

import strawberry

from resolvers.chats import ensured_document
from schema.chats import ChatSession, Message
from schema.doctor import Examination
from schema.documents import Document
from schema.errors import (
    ChatSessionNotFound,
    ClientIdConflict,
    DocumentNotFound,
    Forbidden,
    IdTaken,
    InvalidInput,
    NotInTrash,
    SectionNotFound,
    SectionNotInDocument,
    TemporarilyUnavailable,
)
from schema.sections import Placement, Section
from schema.trash import Purged
from schema.view import View, field, resolved_by
from services.chats import ChatsOfDocument, ChatsOfSections

EnsureSectionChatResult = Annotated[
    ChatSession | DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden | TemporarilyUnavailable,
    strawberry.union("EnsureSectionChatResult", description="The chat of the section, or why there is none."),
]


@strawberry.type(description="What became of the ensures of many sections.")
class EnsuredSectionChats(View):
    """The answer to a bulk ensure."""

    represents = ChatsOfSections

    results: list[EnsureSectionChatResult | None] = field(
        "One result for each id, in the order of the ids; null where one cannot be shown, for which there is an error."
    )


@strawberry.type(description="What became of an ensure of all sections of a document.")
class EnsuredDocumentChats(View):
    """The answer to an ensure of a whole document."""

    represents = ChatsOfDocument

    document: Document | None = resolved_by(ensured_document, "The document; its sections have their chats.")
    created_count: int = field("How many chats were opened.")
    found_count: int = field("How many were there.")
    repaired_count: int = field("How many were there, but their section did not point to them; now it does.")
    refused_count: int = field("How many sections have no chat that you could open.")


EnsureSectionChatsResult = Annotated[
    EnsuredSectionChats | DocumentNotFound | InvalidInput | TemporarilyUnavailable,
    strawberry.union("EnsureSectionChatsResult", description="A result for each section, or why there is none."),
]

EnsureDocumentChatsResult = Annotated[
    EnsuredDocumentChats | DocumentNotFound | TemporarilyUnavailable,
    strawberry.union("EnsureDocumentChatsResult", description="How many chats there are now, or why none were opened."),
]

PostMessageResult = Annotated[
    Message | ChatSessionNotFound | InvalidInput | ClientIdConflict | Forbidden | TemporarilyUnavailable,
    strawberry.union("PostMessageResult", description="The message with its number, or why it was not added."),
]

ImportDocumentResult = Annotated[
    Document | InvalidInput | IdTaken | Forbidden | TemporarilyUnavailable,
    strawberry.union("ImportDocumentResult", description="The new document, or why it was not made."),
]

CreateDocumentResult = Annotated[
    Document | InvalidInput | IdTaken | Forbidden | TemporarilyUnavailable,
    strawberry.union("CreateDocumentResult", description="The new document, or why it was not made."),
]

CreateSectionResult = Annotated[
    Section | DocumentNotFound | InvalidInput | IdTaken | Forbidden | TemporarilyUnavailable,
    strawberry.union("CreateSectionResult", description="The new section, or why it was not made."),
]

PlaceSectionResult = Annotated[
    Placement | DocumentNotFound | SectionNotFound | Forbidden | TemporarilyUnavailable,
    strawberry.union("PlaceSectionResult", description="Where the section stands, or why it was not placed."),
]

RemoveSectionResult = Annotated[
    Section | DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden | TemporarilyUnavailable,
    strawberry.union("RemoveSectionResult", description="The section, which is kept, or why it was not taken out."),
]

TrashDocumentResult = Annotated[
    Document | DocumentNotFound | Forbidden | TemporarilyUnavailable,
    strawberry.union("TrashDocumentResult", description="The document, which is in the trash now, or why it is not."),
]

RestoreDocumentResult = Annotated[
    Document | DocumentNotFound | Forbidden | TemporarilyUnavailable,
    strawberry.union("RestoreDocumentResult", description="The document, which is back, or why it is not."),
]

PurgeDocumentResult = Annotated[
    Purged | DocumentNotFound | NotInTrash | Forbidden | TemporarilyUnavailable,
    strawberry.union("PurgeDocumentResult", description="What is gone for good, or why it is not."),
]

TrashSectionResult = Annotated[
    Section | SectionNotFound | Forbidden | TemporarilyUnavailable,
    strawberry.union("TrashSectionResult", description="The section, which is in the trash now, or why it is not."),
]

RestoreSectionResult = Annotated[
    Section | SectionNotFound | Forbidden | TemporarilyUnavailable,
    strawberry.union("RestoreSectionResult", description="The section, which is back, or why it is not."),
]

PurgeSectionResult = Annotated[
    Purged | SectionNotFound | NotInTrash | Forbidden | TemporarilyUnavailable,
    strawberry.union("PurgeSectionResult", description="What is gone for good, or why it is not."),
]

DoctorResult = Annotated[
    Examination | Forbidden,
    strawberry.union("DoctorResult", description="What was found, or why nothing was looked for."),
]

RepairResult = Annotated[
    Examination | Forbidden | TemporarilyUnavailable,
    strawberry.union("RepairResult", description="What was found and is right now, or why nothing was repaired."),
]
