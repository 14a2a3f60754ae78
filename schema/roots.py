"""The roots: where every operation begins. Their fields are nullable, so one fault does not blank the others."""

import strawberry

from resolvers import chats, doctor, documents, nodes, sections, trash
from schema.chats import ChatSession
from schema.documents import Document, DocumentConnection
from schema.nodes import Node
from schema.results import (
    CreateDocumentResult,
    CreateSectionResult,
    DoctorResult,
    EnsureDocumentChatsResult,
    EnsureSectionChatResult,
    EnsureSectionChatsResult,
    ImportDocumentResult,
    PlaceSectionResult,
    PostMessageResult,
    PurgeDocumentResult,
    PurgeSectionResult,
    RemoveSectionResult,
    RepairResult,
    RestoreDocumentResult,
    RestoreSectionResult,
    TrashDocumentResult,
    TrashSectionResult,
)
from schema.sections import Section, SectionConnection
from schema.view import resolved_by, subscription


@strawberry.type(description="What can be read.")
class Query:
    """The root of queries."""

    document: Document | None = resolved_by(documents.document, "A document, if you may see it.")
    documents: DocumentConnection | None = resolved_by(
        documents.all_documents, "The documents of your workspace, the newest first."
    )
    section: Section | None = resolved_by(sections.section, "A section, if you may see it.")
    chat_session: ChatSession | None = resolved_by(chats.chat_session, "A chat session, if you may see it.")
    trashed_documents: DocumentConnection | None = resolved_by(
        trash.trashed_documents,
        "The documents in the trash of your workspace, the latest first; empty for those who may not restore them.",
    )
    trashed_sections: SectionConnection | None = resolved_by(
        trash.trashed_sections,
        "The sections in the trash of your workspace, the latest first; empty for those who may not restore them.",
    )
    node: Node | None = resolved_by(nodes.node, "Anything with an id, if you may see it.")
    nodes: list[Node | None] | None = resolved_by(
        nodes.nodes, "Many things with ids, in the order of the ids; null for each that you may not see."
    )
    doctor: DoctorResult | None = resolved_by(
        doctor.examine, "Look for what breaks a rule in the data of your workspace, as its owner."
    )


@strawberry.type(description="What can be changed. Each field answers with what it made, or with an Error.")
class Mutation:
    """The root of mutations."""

    ensure_section_chat: EnsureSectionChatResult | None = resolved_by(
        chats.ensure_section_chat,
        "Return the chat of a section of a document, opening it on first use. Safe to repeat at any moment.",
    )
    ensure_section_chats: EnsureSectionChatsResult | None = resolved_by(
        chats.ensure_section_chats,
        "Return the chats of many sections of a document, opening them on first use. Safe to repeat at any moment.",
    )
    ensure_document_chats: EnsureDocumentChatsResult | None = resolved_by(
        chats.ensure_document_chats,
        "See to it that every section of a document has its chat. Safe to repeat at any moment.",
    )
    post_message: PostMessageResult | None = resolved_by(
        chats.post_message, "Add a message to a chat. Safe to repeat with a client id."
    )
    import_document: ImportDocumentResult | None = resolved_by(
        documents.import_document,
        "Make a document from CommonMark: one section for each heading, and one for what stands before the first. "
        "Each process parses one import at a time; while many wait, more get TemporarilyUnavailable.",
    )
    create_document: CreateDocumentResult | None = resolved_by(
        documents.create_document, "Make a document without sections."
    )
    create_section: CreateSectionResult | None = resolved_by(
        sections.create_section, "Make a section at the end of a document."
    )
    place_section: PlaceSectionResult | None = resolved_by(
        sections.place_section,
        "Place an existing section at the end of a document, by reference; where it stands already, it stays.",
    )
    remove_section: RemoveSectionResult | None = resolved_by(
        sections.remove_section, "Take a section out of a document; the section and its chat are kept."
    )
    trash_document: TrashDocumentResult | None = resolved_by(
        trash.trash_document,
        "Put a document into the trash, where nobody sees it. Its sections and their chats are kept. Safe to repeat.",
    )
    restore_document: RestoreDocumentResult | None = resolved_by(
        trash.restore_document, "Take a document out of the trash: all is as it was. Safe to repeat."
    )
    purge_document: PurgeDocumentResult | None = resolved_by(
        trash.purge_document,
        "Take a document in the trash away for good, with the sections that stand in no other document, and their "
        "chats. A large one can take several calls: after TemporarilyUnavailable, send the same call again.",
    )
    trash_section: TrashSectionResult | None = resolved_by(
        trash.trash_section,
        "Put a section into the trash, where nobody sees it, in whatever document it stands. It and its chat are kept. "
        "Safe to repeat.",
    )
    restore_section: RestoreSectionResult | None = resolved_by(
        trash.restore_section,
        "Take a section out of the trash: it is back where it stood, with its chat. Safe to repeat.",
    )
    purge_section: PurgeSectionResult | None = resolved_by(
        trash.purge_section,
        "Take a section in the trash away for good, with its chat and the messages, in whatever document it stands. "
        "One with a very long chat can take several calls: after TemporarilyUnavailable, send the same call again.",
    )
    repair: RepairResult | None = resolved_by(
        doctor.repair,
        "Set right what doctor finds in your workspace and can be repaired, as its owner. No message is lost. Where "
        "there is more than was done, ask again. Safe to repeat at any moment.",
    )


@strawberry.type(description="What is told as it happens.")
class Subscription:
    """The root of subscriptions."""

    section_chat_opened: ChatSession | None = subscription(
        chats.section_chat_opened,
        chats.opened_chat,
        "The chat sessions of the sections of a document as they are opened, by whomever, each of them once.",
    )
