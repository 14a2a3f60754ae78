"""The machine: calls in any order on a database and on the model, which answer the same and come to the same."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import text, update

from db import workspaces
from db.connection.database import Database
from db.models import ChatSession, Section
from db.placements import LAST
from db.principals import Principal, Role
from db.store import Store
from services import chats, documents, messages, placements, sections, trash
from services.chats import EnsureDocumentChatsSuccess, EnsureSectionChatsSuccess
from services.messages import PostMessageSuccess
from services.sections import CreateSectionSuccess
from services.trash import PurgeDocumentSuccess, PurgeSectionSuccess
from tests.checkers.reference_model import Verb
from tests.checkers.stateful.model import Model

T = TypeVar("T")

DOCUMENTS = st.sampled_from(["doc_one", "doc_two", "doc_three"])
SECTIONS = st.sampled_from(["sec_one", "sec_two", "sec_three", "sec_four"])
TITLES = st.sampled_from(["A title", "Another title"])
ROLES = st.sampled_from([Role.READER, Role.COMMENTER])

CONTENTS = (
    "SELECT id, deleted_at IS NOT NULL FROM documents WHERE workspace_id = :w ORDER BY id",
    "SELECT id, deleted_at IS NOT NULL, chat_session_id FROM sections WHERE workspace_id = :w ORDER BY id",
    "SELECT document_id, section_id FROM document_sections WHERE workspace_id = :w ORDER BY document_id, position",
    "SELECT section_id, id, document_id, last_seq FROM chat_sessions WHERE workspace_id = :w ORDER BY section_id",
    "SELECT c.section_id, m.seq, m.content, m.client_id FROM messages m"
    " JOIN chat_sessions c ON c.workspace_id = m.workspace_id AND c.id = m.chat_id"
    " WHERE m.workspace_id = :w ORDER BY c.section_id, m.seq",
)

_numbers = itertools.count()


def kind(answer: object) -> str:
    """Say what an answer is, as the model does."""
    match answer:
        case ChatSession():
            return str(answer.ensured)
        case PostMessageSuccess():
            return f"PostMessageSuccess {answer.posted_message.seq}"
        case PurgeDocumentSuccess() | PurgeSectionSuccess():
            gone = answer.removed
            return f"{type(answer).__name__} {gone.section_count} {gone.chat_count} {gone.message_count}"
        case _:
            return type(answer).__name__


class Machine(RuleBasedStateMachine):
    """Calls in a workspace of its own, which is compared with the model after each of them."""

    def __init__(self, runner: asyncio.Runner, database: Database, answers: Counter[str]) -> None:
        super().__init__()
        self._runner, self._database, self._answers = runner, database, answers
        self._workspace = f"workspace-{next(_numbers)}"
        self._model = Model()
        self._run(workspaces.ensure(database, self._workspace))

    @initialize()
    def begin(self) -> None:
        """Have something to begin with, or most calls would be about nothing."""
        for document in ("doc_one", "doc_two"):
            self.create_document(document, "A title")
        for section in ("sec_one", "sec_two", "sec_three"):
            self.create_section("doc_one", section, "A title")
        self.place("doc_two", "sec_two")
        for role in (Role.READER, Role.COMMENTER):
            self.ensure("doc_one", "sec_two", role)

    @rule(document=DOCUMENTS, title=TITLES)
    def create_document(self, document: str, title: str) -> None:
        answer = self._call(documents.create_document, title, None, document)
        assert kind(answer) == self._model.create_document(document, title)

    @rule(document=DOCUMENTS, section=SECTIONS, title=TITLES)
    def create_section(self, document: str, section: str, title: str) -> None:
        answer = self._call(
            sections.create_section, document, {"title": title, "content": "Text", "level": 2}, LAST, section
        )
        assert kind(answer) == self._model.create_section(document, section, title)
        if isinstance(answer, CreateSectionSuccess):
            stands = section in self._model.sections_of(document)
            assert (answer.section.id, answer.placement is not None) == (section, stands)

    @rule(document=DOCUMENTS, section=SECTIONS)
    def place(self, document: str, section: str) -> None:
        answer = self._call(placements.place_section, document, section, LAST)
        assert kind(answer) == self._model.call(Verb.PLACE, document, section)

    @rule(document=DOCUMENTS, section=SECTIONS)
    def remove(self, document: str, section: str) -> None:
        """Take a section out, and ask for its chat there, as another one that may be about to would."""
        answer = self._call(placements.remove_section, document, section)
        assert kind(answer) == self._model.call(Verb.REMOVE, document, section)
        self.ensure(document, section, Role.COMMENTER)

    @rule(document=DOCUMENTS, section=SECTIONS, role=ROLES)
    def ensure(self, document: str, section: str, role: Role) -> None:
        answer = self._call(chats.ensure_section_chat, document, section, role=role)
        self._agree(document, section, role, answer)

    @rule(document=DOCUMENTS, asked=st.lists(SECTIONS, max_size=6), role=ROLES)
    def ensure_many(self, document: str, asked: list[str], role: Role) -> None:
        answer = self._call(chats.ensure_section_chats, document, asked, role=role)
        if self._model.visible(document) is None:
            assert kind(answer) == "DocumentNotFound"
            return
        assert isinstance(answer, EnsureSectionChatsSuccess)
        for section, each in zip(asked, answer.results, strict=True):
            assert (each.section_id, each.chat is None) == (section, each.error is not None)
            self._agree(document, section, role, each.chat or each.error)

    @rule(document=DOCUMENTS, role=ROLES)
    def ensure_all(self, document: str, role: Role) -> None:
        answer = self._call(chats.ensure_document_chats, document, role=role)
        visible = self._model.visible(document)
        if visible is None:
            assert kind(answer) == "DocumentNotFound"
            return
        assert isinstance(answer, EnsureDocumentChatsSuccess)
        opened = self._chats()
        done = [
            self._model.ensure(document, section, role >= Role.COMMENTER, opened.get(section, "none"))
            for section in visible
        ]
        counts = [done.count(how) for how in ("CREATED", "FOUND", "REPAIRED", "Forbidden")]
        assert counts == [answer.created_count, answer.found_count, answer.repaired_count, answer.refused_count]

    @rule(
        number=st.integers(0, 5),
        contents=st.lists(st.sampled_from(["One", "Two"]), min_size=1, max_size=3),
        client_id=st.sampled_from([None, "first", "second"]),
    )
    def post(self, number: int, contents: list[str], client_id: str | None) -> None:
        """Post to one of the chats that there are, or were, several times with one client id or none."""
        known = [*self._model.chats.values(), *self._model.purged_chats[-1:], "chat_none"]
        chat_id = known[number % len(known)]
        for content in contents:
            answer = self._call(messages.post_message, chat_id, content, client_id, role=Role.COMMENTER)
            assert kind(answer) == self._model.post(chat_id, content, client_id)

    @rule(document=DOCUMENTS)
    def trash_document(self, document: str) -> None:
        answer = self._call(trash.trash_document, document)
        assert kind(answer) == self._model.call(Verb.TRASH_DOCUMENT, document)

    @rule(document=DOCUMENTS)
    def restore_document(self, document: str) -> None:
        answer = self._call(trash.restore_document, document)
        assert kind(answer) == self._model.call(Verb.RESTORE_DOCUMENT, document)

    @rule(document=DOCUMENTS, trashed=st.booleans())
    def purge_document(self, document: str, trashed: bool) -> None:
        if trashed:
            self.trash_document(document)
        answer = self._call(trash.purge_document, document, role=Role.OWNER)
        assert kind(answer) == self._model.call(Verb.PURGE_DOCUMENT, document)

    @rule(section=SECTIONS)
    def trash_section(self, section: str) -> None:
        answer = self._call(trash.trash_section, section)
        assert kind(answer) == self._model.call(Verb.TRASH_SECTION, "", section)

    @rule(section=SECTIONS)
    def restore_section(self, section: str) -> None:
        answer = self._call(trash.restore_section, section)
        assert kind(answer) == self._model.call(Verb.RESTORE_SECTION, "", section)

    @rule(section=SECTIONS, trashed=st.booleans())
    def purge_section(self, section: str, trashed: bool) -> None:
        if trashed:
            self.trash_section(section)
        answer = self._call(trash.purge_section, section, role=Role.OWNER)
        assert kind(answer) == self._model.call(Verb.PURGE_SECTION, "", section)

    @rule(
        section=SECTIONS, other=SECTIONS, how=st.sampled_from(["empty", "dangling", "another's"]), asked=st.booleans()
    )
    def break_pointer(self, section: str, other: str, how: str, asked: bool) -> None:
        """Point a section to nothing, to a chat that is not there, or to the chat of another section."""
        if section not in self._model.made:
            return
        pointer = {"empty": None, "dangling": "chat_none"}.get(how, self._model.chats.get(other))
        self._model.break_pointer(section, pointer)
        self._run(self._point(section, pointer))
        for document in self._model.rows("doc_"):
            if asked and section in self._model.sections_of(document):
                self.ensure(document, section, Role.READER)

    @invariant()
    def there_is_what_the_model_says(self) -> None:
        """Compare all rows of the workspace with the model."""
        model = self._model
        documents, sections, chats = model.rows("doc_"), model.rows("sec_"), sorted(model.chats)
        assert self._run(self._contents()) == [
            [(row, model.margin.hides(row)) for row in documents],
            [(row, model.margin.hides(row), model.pointer(row)) for row in sections],
            [(row, section) for row in documents for section in model.sections_of(row)],
            [(row, model.chats[row], model.opened_through[row], len(model.posts[row])) for row in chats],
            [(row, number, *posted) for row in chats for number, posted in enumerate(model.posts[row], 1)],
        ]

    def teardown(self) -> None:
        """Set the pointers right that were broken by hand, of all sections that can be asked for."""
        for document in self._model.rows("doc_"):
            self._call(trash.restore_document, document)
            for section in self._model.sections_of(document):
                self._call(trash.restore_section, section)
                self._call(chats.ensure_section_chat, document, section)

    def _agree(self, document: str, section: str, role: Role, answer: object) -> None:
        chat_id = answer.id if isinstance(answer, ChatSession) else "none"
        assert kind(answer) == self._model.ensure(document, section, role >= Role.COMMENTER, chat_id)
        if isinstance(answer, ChatSession):
            chat = self._model.chats[section]
            assert (answer.id, answer.section_id, answer.last_seq) == (chat, section, len(self._model.posts[section]))

    def _call(self, use_case: Any, *arguments: object, role: Role = Role.EDITOR) -> object:
        principal = Principal("somebody", self._workspace, role)
        answer = self._run(use_case(Store(self._database, principal), *arguments))
        self._answers[kind(answer).split()[0]] += 1
        return answer

    def _chats(self) -> dict[str, str]:
        return {section: chat for section, chat, *_ in self._run(self._contents())[3]}

    async def _contents(self) -> list[Any]:
        """Read all rows of the workspace, by one statement for each table."""
        async with self._database.read() as session:
            return [
                [tuple(row) for row in await session.execute(text(query), {"w": self._workspace})] for query in CONTENTS
            ]

    async def _point(self, section_id: str, pointer: str | None) -> None:
        point = update(Section).where(Section.workspace_id == self._workspace, Section.id == section_id)
        async with self._database.begin() as session:
            await session.execute(point.values(chat_session_id=pointer))

    def _run(self, awaitable: Awaitable[T]) -> T:
        async def run() -> T:
            return await awaitable

        return self._runner.run(run())
