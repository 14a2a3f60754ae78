"""Results: what each mutation can answer, the success first."""

from typing import Annotated

import strawberry

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
    SectionNotFound,
    SectionNotInDocument,
    TemporarilyUnavailable,
)
from schema.sections import Placement, Section

EnsureSectionChatResult = Annotated[
    ChatSession | DocumentNotFound | SectionNotFound | SectionNotInDocument | Forbidden | TemporarilyUnavailable,
    strawberry.union("EnsureSectionChatResult", description="The chat of the section, or why there is none."),
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

DoctorResult = Annotated[
    Examination | Forbidden,
    strawberry.union("DoctorResult", description="What was found, or why nothing was looked for."),
]

RepairResult = Annotated[
    Examination | Forbidden | TemporarilyUnavailable,
    strawberry.union("RepairResult", description="What was found and is right now, or why nothing was repaired."),
]
