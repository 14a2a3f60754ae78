"""The model: what documents, sections and chats are, in the fewest words that say it, and what each call answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Chat:
    """A chat, and what was posted to it: text and client id."""

    id: str
    opened_through: str | None
    messages: list[tuple[str, str | None]] = field(default_factory=list)


@dataclass
class Section:
    """A section, the call that made it, the chat that it has, and the one that it points to."""

    made_by: tuple[str, str]
    trashed: bool = False
    chat: Chat | None = None
    pointer: str | None = None


@dataclass
class Document:
    """A document, the call that made it, and what stands in it, in order."""

    made_by: str
    trashed: bool = False
    sections: list[str] = field(default_factory=list)


class Model:
    """All of a workspace. A method changes it as a call would, and returns the kind of the answer."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.sections: dict[str, Section] = {}
        self.purged_chats: list[str] = []

    def create_document(self, document_id: str, title: str) -> str:
        """Make an empty document; the same call again finds the one that it has made, unless that is in the trash."""
        made = self.documents.setdefault(document_id, Document(title))
        return "IdTaken" if made.trashed or made.made_by != title else "CreateDocumentSuccess"

    def create_section(self, document_id: str, section_id: str, title: str) -> str:
        """Make a section at the end of a document; the same call again finds it, wherever it stands by then."""
        if self._document(document_id) is None:
            return "DocumentNotFound"
        if section_id not in self.sections:
            self.sections[section_id] = Section((document_id, title))
            self.documents[document_id].sections.append(section_id)
        made = self.sections[section_id]
        return "IdTaken" if made.trashed or made.made_by != (document_id, title) else "CreateSectionSuccess"

    def place(self, document_id: str, section_id: str) -> str:
        """Place a section at the end of a document."""
        if (refused := self._refused(document_id, section_id)) not in (None, "SectionNotInDocument"):
            return str(refused)
        if refused:
            self.documents[document_id].sections.append(section_id)
        return "PlaceSectionSuccess"

    def remove(self, document_id: str, section_id: str) -> str:
        """Take a section out of a document."""
        if refused := self._refused(document_id, section_id):
            return refused
        self.documents[document_id].sections.remove(section_id)
        return "RemoveSectionSuccess"

    def ensure(self, document_id: str, section_id: str, may_open: bool, new: str) -> str:
        """Find, repair or open the chat of a section; one that is opened gets the id `new`."""
        if refused := self._refused(document_id, section_id):
            return refused
        section = self.sections[section_id]
        if section.chat is None and not may_open:
            return "Forbidden"
        how = "FOUND"
        if section.chat is None:
            section.chat, how = Chat(new, document_id), "CREATED"
        elif section.pointer != section.chat.id:
            how = "REPAIRED"
        section.pointer = section.chat.id
        return how

    def visible(self, document_id: str) -> Sequence[str] | None:
        """Return the sections to be seen in a document, in order; None: there is no such document."""
        document = self._document(document_id)
        return None if document is None else [each for each in document.sections if not self.sections[each].trashed]

    def post(self, chat_id: str, content: str, client_id: str | None) -> str:
        """Post to a chat, once for each client id."""
        chat = next((each.chat for each in self.sections.values() if each.chat and each.chat.id == chat_id), None)
        if chat is None or any(each.trashed for each in self.sections.values() if each.chat is chat):
            return "ChatSessionNotFound"
        for number, (earlier, used) in enumerate(chat.messages, 1):
            if client_id is not None and used == client_id:
                return f"PostMessageSuccess {number}" if earlier == content else "ClientIdConflict"
        chat.messages.append((content, client_id))
        return f"PostMessageSuccess {len(chat.messages)}"

    def purge_document(self, document_id: str) -> str:
        """Take a document away, and what stands nowhere else."""
        document = self.documents.get(document_id)
        if document is None:
            return "DocumentNotFound"
        if not document.trashed:
            return "NotInTrash"
        del self.documents[document_id]
        elsewhere = {section_id for each in self.documents.values() for section_id in each.sections}
        going = [section_id for section_id in document.sections if section_id not in elsewhere]
        purged = self._purge(going)
        for section in self.sections.values():
            if section.chat is not None and section.chat.opened_through == document_id:
                section.chat.opened_through = None
        return f"PurgeDocumentSuccess {purged}"

    def purge_section(self, section_id: str) -> str:
        """Take a section away, wherever it stands."""
        section = self.sections.get(section_id)
        if section is None:
            return "SectionNotFound"
        if not section.trashed:
            return "NotInTrash"
        for document in self.documents.values():
            if section_id in document.sections:
                document.sections.remove(section_id)
        return f"PurgeSectionSuccess {self._purge([section_id])}"

    def _purge(self, section_ids: Sequence[str]) -> str:
        gone = [self.sections.pop(section_id).chat for section_id in section_ids]
        chats = [chat for chat in gone if chat is not None]
        self.purged_chats += [chat.id for chat in chats]
        return f"{len(section_ids)} {len(chats)} {sum(len(chat.messages) for chat in chats)}"

    def _refused(self, document_id: str, section_id: str) -> str | None:
        if self._document(document_id) is None:
            return "DocumentNotFound"
        if section_id not in self.sections or self.sections[section_id].trashed:
            return "SectionNotFound"
        return None if section_id in self.documents[document_id].sections else "SectionNotInDocument"

    def _document(self, document_id: str) -> Document | None:
        document = self.documents.get(document_id)
        return None if document is None or document.trashed else document
