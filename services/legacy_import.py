"""The import of legacy files: selects new entries, merges the chats of a section, and numbers messages."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from db import positions
from db.importers import legacy
from db.importers.legacy import Rows, Taken, There
from db.store import Store, Transaction
from services.documents import UNTITLED
from services.legacy import BadFile, LegacyChat, LegacyDocument, LegacyFile, LegacyMessage, LegacySection

KINDS = ("documents", "sections", "placements", "chats", "messages")


@dataclass
class Imported:
    """The result of an import: new and skipped entries by kind. An entry is skipped if its id already exists."""

    new: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    merged_chats: int = 0
    """Chats whose messages were moved to another chat of their section."""
    pointers_left: int = 0
    """Sections that do not point to their chat, if the section or the chat is new."""
    placements_left: int = 0
    """Sections that already existed and are not in a document that lists them."""
    client_ids_dropped: int = 0
    documents_forgotten: int = 0
    """Chats that were opened through an unknown document."""


async def import_file(store: Store, file: LegacyFile) -> Imported:
    """Import the new entries of a file in one transaction, and leave existing rows unchanged.

    Several chats of a section are merged into one: the existing chat, or else the oldest. Raises `BadFile` if data
    would be lost, or `DatabaseUnavailable`; in both cases nothing was changed.
    """

    async def work(transaction: Transaction) -> Imported:
        there = await legacy.look(
            transaction.session,
            store.workspace_id,
            {document.id for document in file.documents} | {chat.document_id or "" for chat in file.chat_sessions},
            {section.id for section in file.sections}
            | {section_id for document in file.documents for section_id in document.section_ids}
            | {chat.section_id for chat in file.chat_sessions},
            {chat.id for chat in file.chat_sessions} | {message.chat_session_id for message in file.messages},
            {message.id for message in file.messages},
        )
        arrival = _Arrival(file, there, store.principal.user_id)
        if arrival.problems:
            raise BadFile(arrival.problems)
        try:
            await legacy.put_in(transaction.session, store.workspace_id, arrival.rows)
        except Taken:
            raise BadFile(["Another writer added some of these rows meanwhile; import the file again"]) from None
        return arrival.imported

    return await store.transact(work)


class _Arrival:
    """The rows to add for a file, given the existing rows."""

    def __init__(self, file: LegacyFile, there: There, user_id: str) -> None:
        self.rows = Rows()
        self.imported = Imported()
        self.problems: list[str] = []
        self._file, self._there, self._user_id = file, there, user_id
        self._document_ids = {*there.documents, *(document.id for document in file.documents)}
        self._section_ids = {*there.sections, *(section.id for section in file.sections)}
        self._kept: dict[str, str] = {}
        """The remaining chat, by section id."""
        self._target: dict[str, str] = {chat_id: chat_id for chat_id in there.chats}
        """The remaining chat, by the id of each merged chat."""
        self._add_chats()
        self._add_messages()
        self._add_documents()
        self._add_sections()

    def _add_documents(self) -> None:
        for number, document in enumerate(self._file.documents):
            unknown = [
                f"documents[{number}].section_ids[{place}]: there is no section {section_id}"
                for place, section_id in enumerate(document.section_ids)
                if section_id not in self._section_ids
            ]
            self.problems += unknown
            if self._is_new("documents", document.id in self._there.documents):
                title = " ".join((document.title or "").splitlines()).strip() or UNTITLED
                self.rows.documents.append(self._values(document, "description", title=title, **_labels(document)))
                self._place(document.id, document.section_ids, None)
            else:
                self._append(number, document)

    def _append(self, number: int, document: LegacyDocument) -> None:
        """Append new sections to an existing document; a section that was removed from it since is not added again."""
        standing = self._there.placements.get(document.id, {})
        missing = [section_id for section_id in document.section_ids if section_id not in standing]
        new = [section_id for section_id in missing if section_id not in self._there.sections]
        self.imported.skipped["placements"] += len(document.section_ids) - len(missing)
        self.imported.placements_left += len(missing) - len(new)
        if not new:
            return
        self.rows.arranged.append(document.id)
        try:
            self._place(document.id, new, max(standing.values(), default=None))
        except positions.Malformed:
            self.problems.append(
                f"documents[{number}].section_ids: {document.id} has a malformed position, after which no section"
                " can be placed; `doctor --repair` repairs it"
            )

    def _place(self, document_id: str, section_ids: Sequence[str], last: str | None) -> None:
        for section_id, position in zip(section_ids, positions.after(last, len(section_ids)), strict=True):
            self.imported.new["placements"] += 1
            self.rows.placements.append({"document_id": document_id, "section_id": section_id, "position": position})

    def _add_sections(self) -> None:
        for section in self._file.sections:
            if self._is_new("sections", section.id in self._there.sections):
                self.imported.pointers_left += section.chat_session_id != self._kept.get(section.id)
                columns = ("title", "level", "content", "status", "chat_session_id")
                self.rows.sections.append(self._values(section, *columns, **_labels(section)))

    def _add_chats(self) -> None:
        of_section: defaultdict[str, list[LegacyChat]] = defaultdict(list)
        for number, chat in enumerate(self._file.chat_sessions):
            there = self._there.chats.get(chat.id)
            if chat.section_id not in self._section_ids:
                self.problems.append(f"chat_sessions[{number}].section_id: there is no section {chat.section_id}")
            elif there is not None and there.section_id != chat.section_id:
                self.problems.append(f"chat_sessions[{number}].id: {chat.id} is the chat of {there.section_id} already")
            else:
                of_section[chat.section_id].append(chat)
        for section_id, chats in of_section.items():
            oldest = min(chats, key=lambda chat: (chat.created_at, chat.id))
            there = self._there.chats_by_section.get(section_id)
            self._kept[section_id] = kept = oldest.id if there is None else there.id
            self._target.update((chat.id, kept) for chat in chats)
            if there is None:
                self._add_chat(oldest, max(chat.updated_at or chat.created_at for chat in chats))

    def _add_chat(self, chat: LegacyChat, updated_at: datetime) -> None:
        self.imported.new["chats"] += 1
        if chat.section_id in self._there.sections:
            self.imported.pointers_left += self._there.sections[chat.section_id] != chat.id
        if chat.document_id is not None and chat.document_id not in self._document_ids:
            self.imported.documents_forgotten += 1
            chat = chat.model_copy(update={"document_id": None})
        self.rows.chats.append(self._values(chat, "section_id", "document_id", last_seq=0, updated_at=updated_at))

    def _add_messages(self) -> None:
        of_chat: defaultdict[str, list[LegacyMessage]] = defaultdict(list)
        adding = set()
        for number, message in enumerate(self._file.messages):
            target = self._target.get(message.chat_session_id)
            there = self._there.messages.get(message.id)
            if target is None:
                self.problems.append(f"messages[{number}].chat_session_id: there is no chat {message.chat_session_id}")
            elif there is not None and there != (target, message.content):
                self.problems.append(f"messages[{number}].id: {message.id} is another message already")
            elif self._is_new("messages", there is not None):
                of_chat[target].append(message)
                adding.add(message.chat_session_id)
        self._count_chats(adding)
        chats = {chat["id"]: chat for chat in self.rows.chats}
        client_ids = {*self._there.client_ids}
        for chat_id, messages in of_chat.items():
            last = self._there.chats[chat_id].last_seq if chat_id in self._there.chats else 0
            # Sorting is stable: messages of the same time keep the order of the file.
            for seq, message in enumerate(sorted(messages, key=lambda message: message.created_at), last + 1):
                values = self._values(message, "role", "content", chat_id=chat_id, seq=seq)
                values["author"] = message.author or message.role.lower()
                values["client_id"] = self._own_client_id(client_ids, chat_id, values["author"], message.client_id)
                del values["created_by"]
                self.rows.messages.append(values)
            newest = max(message.created_at for message in messages)
            if chat_id in chats:
                chats[chat_id]["last_seq"] = len(messages)
                chats[chat_id]["updated_at"] = max(chats[chat_id]["updated_at"], newest)
            else:
                self.rows.last_numbers[chat_id] = last + len(messages)

    def _count_chats(self, adding: set[str]) -> None:
        for chat in self._file.chat_sessions:
            target = self._target.get(chat.id)
            if chat.id in self._there.chats:
                self.imported.skipped["chats"] += 1
            elif target is not None and target != chat.id:
                # Merged by an earlier import, if all its messages already exist.
                again = target in self._there.chats and chat.id not in adding
                self.imported.skipped["chats"] += again
                self.imported.merged_chats += not again

    def _own_client_id(
        self, taken: set[tuple[str, str, str]], chat_id: str, author: str, client_id: str | None
    ) -> str | None:
        if client_id is None:
            return None
        if (chat_id, author, client_id) in taken:
            self.imported.client_ids_dropped += 1
            return None
        taken.add((chat_id, author, client_id))
        return client_id

    def _is_new(self, kind: str, is_there: bool) -> bool:
        (self.imported.skipped if is_there else self.imported.new)[kind] += 1
        return not is_there

    def _values(self, entry: Any, *columns: str, **others: Any) -> dict[str, Any]:
        """Return the values of a row: the given columns, and the columns that all entries have."""
        created_at = entry.created_at or self._there.now
        return {
            "id": entry.id,
            "created_by": getattr(entry, "created_by", None) or self._user_id,
            "created_at": created_at,
            "updated_at": entry.updated_at or created_at,
            **{column: getattr(entry, column) for column in columns},
            **others,
        }


def _labels(entry: LegacyDocument | LegacySection) -> dict[str, Any]:
    return {"tags": entry.tags, "details": entry.metadata, "deleted_at": entry.deleted_at}
