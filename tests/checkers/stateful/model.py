"""A workspace: the margin of the reference model, and beside it who made what, the order of sections, and messages."""

from collections.abc import Sequence

from tests.checkers.reference_model import Call, Margin, Verb


class Model:
    """All of a workspace. A method changes it as a call would, and returns the kind of the answer."""

    def __init__(self) -> None:
        self.margin = Margin(placed=frozenset())
        self.made: dict[str, tuple[str, ...]] = {}
        """The documents and sections that exist, with what the calls that made them said."""
        self.order: list[tuple[str, str]] = []
        """Documents with the sections in them, in the order in which these were placed."""
        self.opened_through: dict[str, str | None] = {}
        """The document through which the chat of a section was opened."""
        self.posts: dict[str, list[tuple[str, str | None]]] = {}
        """What was posted to the chat of a section: texts and client ids."""
        self.purged_chats: list[str] = []

    @property
    def chats(self) -> dict[str, str]:
        """The ids of the chats, by section."""
        return dict(self.margin.chats)

    def rows(self, prefix: str) -> list[str]:
        """Return the documents or the sections that exist, by the prefix of their ids."""
        return sorted(row for row in self.made if row.startswith(prefix))

    def sections_of(self, document: str) -> list[str]:
        """Return the sections that stand in a document, in order."""
        return [section for place, section in self.order if place == document]

    def visible(self, document: str) -> Sequence[str] | None:
        """Return the sections to be seen in a document, in order; None: there is no such document."""
        if document not in self.made or self.margin.hides(document):
            return None
        return [section for section in self.sections_of(document) if not self.margin.hides(section)]

    def pointer(self, section: str) -> str | None:
        """Return what a section points to."""
        return dict(self.margin.pointers).get(section, self.chats.get(section)) or None

    def break_pointer(self, section: str, pointer: str | None) -> None:
        """Point a section to something."""
        others = frozenset(each for each in self.margin.pointers if each[0] != section)
        wrong = set() if pointer == self.chats.get(section) else {(section, pointer or "")}
        self.margin = self.margin._replace(pointers=others | wrong)

    def create_document(self, document: str, title: str) -> str:
        """Make an empty document; the same call again finds the one that it has made, unless that is in the trash."""
        made = self.made.setdefault(document, (title,))
        return "IdTaken" if self.margin.hides(document) or made != (title,) else "CreateDocumentSuccess"

    def create_section(self, document: str, section: str, title: str) -> str:
        """Make a section at the end of a document; the same call again finds it, wherever it stands by then."""
        if self.visible(document) is None:
            return "DocumentNotFound"
        if section not in self.made:
            self.made[section] = (document, title)
            self.call(Verb.PLACE, document, section)
        made = self.made[section]
        return "IdTaken" if self.margin.hides(section) or made != (document, title) else "CreateSectionSuccess"

    def ensure(self, document: str, section: str, may_open: bool, chat: str) -> str:
        """Find, repair or open the chat of a section; one that is opened gets the id `chat`."""
        answer = self.call(Verb.ENSURE if may_open else Verb.PEEK, document, section, chat)
        if answer == "CREATED":
            self.opened_through[section], self.posts[section] = document, []
        return answer

    def call(self, verb: Verb, document: str = "", section: str = "", chat: str | None = None) -> str:
        """Do what a call does to the margin."""
        call = Call(verb, document, section)
        unknown = {row for row in (document, section) if row and row not in self.made}
        before = self.margin._replace(purged=frozenset(unknown))
        answer, after = before.answered(call, chat)
        gone = after.purged - unknown
        self.margin = after._replace(purged=frozenset())
        self.order = [place for place in self.order if place in after.placed]
        self.order += sorted(after.placed - set(self.order))
        return f"{answer} {self._forget(gone, dict(before.chats))}" if gone else answer

    def post(self, chat: str, content: str, client_id: str | None) -> str:
        """Post to a chat, once for each client id."""
        section = next((section for section, each in self.chats.items() if each == chat), None)
        if section is None or self.margin.hides(section):
            return "ChatSessionNotFound"
        for number, (earlier, used) in enumerate(self.posts[section], 1):
            if client_id is not None and used == client_id:
                return f"PostMessageSuccess {number}" if earlier == content else "ClientIdConflict"
        self.posts[section].append((content, client_id))
        return f"PostMessageSuccess {len(self.posts[section])}"

    def _forget(self, gone: frozenset[str], chats_before: dict[str, str]) -> str:
        """Forget what a purge has deleted; return the numbers of sections, chats and messages."""
        sections = [row for row in gone if len(self.made.pop(row)) > 1]
        chats = [section for section in sections if section in self.opened_through]
        messages = sum(len(self.posts.pop(section)) for section in chats)
        for section in chats:
            self.purged_chats.append(chats_before[section])
            del self.opened_through[section]
        for section, document in self.opened_through.items():
            if document in gone:
                self.opened_through[section] = None
        return f"{len(sections)} {len(chats)} {messages}"
