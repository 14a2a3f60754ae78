"""Commands: each of our use cases that write, on a world that is the same every time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from db.models import ChatSession
from db.placements import LAST
from db.store import Store
from services import chats, documents, messages, placements, sections, sync, trash
from services.chats import EnsureDocumentChatsSuccess, EnsureSectionChatsSuccess
from services.messages import PostMessageSuccess

WHOLE = "doc_whole"
"""Holds sections in every state: `sec_found`, `sec_wrong`, `sec_bare`, `sec_late`."""
OTHER = "doc_other"
"""Holds `sec_found` too."""
GONE = "doc_gone"
"""Is in the trash, with `sec_gone`, which has a chat with messages and stands nowhere else."""
TRASHED = "sec_trashed"
"""Is in the trash, stands in `WHOLE`, and has a chat."""


@dataclass(frozen=True)
class Command:
    """A call, what it is answered with, and what it is answered with once more after it was done."""

    name: str
    call: Callable[[Store], Awaitable[object]]
    right: object
    again: object
    repeatable: bool = True
    """Whether doing it twice is the same as doing it once."""
    rare: bool = False
    """Whether its steps are those of another one: it is tried in a thorough run only."""

    def __str__(self) -> str:
        return self.name


def kind(answer: object) -> object:
    """Say what an answer is, without what differs from one time to the next."""
    match answer:
        case ChatSession():
            return str(answer.ensured)
        case PostMessageSuccess():
            return f"Message {answer.posted_message.content}"
        case EnsureSectionChatsSuccess():
            return [kind(each.chat or each.error) for each in answer.results]
        case EnsureDocumentChatsSuccess():
            return [answer.created_count, answer.found_count, answer.repaired_count, answer.refused_count]
        case _:
            return type(answer).__name__


def _ensure(document_id: str, section_id: str) -> Callable[[Store], Awaitable[object]]:
    return lambda store: chats.ensure_section_chat(store, document_id, section_id)


def _post(chat_id: str, content: str, client_id: str | None) -> Callable[[Store], Awaitable[object]]:
    return lambda store: messages.post_message(store, chat_id, content, client_id)


def _with(use_case: Any, *arguments: object) -> Callable[[Store], Awaitable[object]]:
    def call(store: Store) -> Awaitable[object]:
        called: Awaitable[object] = use_case(store, *arguments)
        return called

    return call


MANY = ["sec_found", "sec_wrong", "sec_bare", "sec_late"]

COMMANDS = [
    Command("ensure that finds", _ensure(WHOLE, "sec_found"), "FOUND", "FOUND"),
    Command("ensure that repairs", _ensure(WHOLE, "sec_wrong"), "REPAIRED", "FOUND"),
    Command("ensure that opens", _ensure(WHOLE, "sec_bare"), "CREATED", "FOUND"),
    Command("ensure in vain", _ensure(OTHER, "sec_bare"), "SectionNotInDocument", "SectionNotInDocument"),
    Command(
        "ensure of many",
        _with(chats.ensure_section_chats, WHOLE, MANY),
        ["FOUND", "REPAIRED", "CREATED", "CREATED"],
        ["FOUND"] * 4,
    ),
    Command("ensure of all", _with(chats.ensure_document_chats, WHOLE), [2, 1, 1, 0], [0, 4, 0, 0]),
    Command("post", _post("chat_found", "New", None), "Message New", "Message New", repeatable=False),
    Command("post with a client id", _post("chat_found", "New", "new"), "Message New", "Message New"),
    Command("post that was posted", _post("chat_found", "Old", "old"), "Message Old", "Message Old"),
    Command(
        "post of another text", _post("chat_found", "New", "old"), "ClientIdConflict", "ClientIdConflict", rare=True
    ),
    Command(
        "post to nothing", _post("chat_none", "New", None), "ChatSessionNotFound", "ChatSessionNotFound", rare=True
    ),
    Command(
        "create document",
        _with(documents.create_document, "A", None, "doc_made"),
        "CreateDocumentSuccess",
        "CreateDocumentSuccess",
    ),
    Command(
        "import",
        _with(documents.import_document, None, "# A\n\n# B", "doc_made"),
        "ImportDocumentSuccess",
        "ImportDocumentSuccess",
    ),
    Command(
        "create section",
        _with(sections.create_section, WHOLE, {"title": "A"}, LAST, "sec_made"),
        "CreateSectionSuccess",
        "CreateSectionSuccess",
    ),
    Command(
        "create section that is there",
        _with(sections.create_section, WHOLE, {"title": "A"}, LAST, "sec_bare"),
        "IdTaken",
        "IdTaken",
        rare=True,
    ),
    Command(
        "place", _with(placements.place_section, OTHER, "sec_bare", LAST), "PlaceSectionSuccess", "PlaceSectionSuccess"
    ),
    Command(
        "remove", _with(placements.remove_section, WHOLE, "sec_found"), "RemoveSectionSuccess", "SectionNotInDocument"
    ),
    Command(
        "remove in vain",
        _with(placements.remove_section, OTHER, "sec_bare"),
        "SectionNotInDocument",
        "SectionNotInDocument",
        rare=True,
    ),
    Command(
        "update section",
        _with(sections.update_section, "sec_found", {"content": "New"}, None, None),
        "UpdateSectionSuccess",
        "UpdateSectionSuccess",
    ),
    Command(
        "move", _with(placements.move_section, WHOLE, "sec_found", LAST), "MoveSectionSuccess", "MoveSectionSuccess"
    ),
    Command(
        "replace",
        _with(placements.replace_section, WHOLE, "sec_found", "sec_bare"),
        "ReplaceSectionSuccess",
        "SectionNotInDocument",
    ),
    Command(
        "copy",
        _with(placements.copy_section, WHOLE, "sec_found", None, "sec_copied"),
        "CopySectionSuccess",
        "CopySectionSuccess",
    ),
    Command(
        "sync",
        _with(sync.sync_document, WHOLE, "New", [("sec_synced", {"title": "A"}), ("sec_found", {"level": 2})], None),
        "SyncDocumentSuccess",
        "SyncDocumentSuccess",
    ),
    Command("trash document", _with(trash.trash_document, WHOLE), "TrashDocumentSuccess", "TrashDocumentSuccess"),
    Command(
        "restore document",
        _with(trash.restore_document, GONE),
        "RestoreDocumentSuccess",
        "RestoreDocumentSuccess",
        rare=True,
    ),
    Command("purge document", _with(trash.purge_document, GONE), "PurgeDocumentSuccess", "DocumentNotFound"),
    Command("purge document in use", _with(trash.purge_document, WHOLE), "NotInTrash", "NotInTrash", rare=True),
    Command(
        "trash section",
        _with(trash.trash_section, "sec_found"),
        "TrashSectionSuccess",
        "TrashSectionSuccess",
        rare=True,
    ),
    Command(
        "restore section",
        _with(trash.restore_section, TRASHED),
        "RestoreSectionSuccess",
        "RestoreSectionSuccess",
        rare=True,
    ),
    Command("purge section", _with(trash.purge_section, TRASHED), "PurgeSectionSuccess", "SectionNotFound"),
    Command("purge section in use", _with(trash.purge_section, "sec_found"), "NotInTrash", "NotInTrash", rare=True),
]
