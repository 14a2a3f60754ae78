"""The operations of a caller, drawn at random, and what the rule says about their answers."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from db.ids import WORKSPACE
from db.principals import Role
from tests.checkers.isolation import texts
from tests.checkers.isolation.callers import Caller
from tests.checkers.isolation.world import DOCUMENTS, WORKSPACES, Home, canary

Judge = Callable[[Mapping[str, Any]], Iterable[str]]
"""Gets the data of an answer, and tells what is wrong with it."""

LATER = "TEMPORARILY_UNAVAILABLE"


@dataclass(frozen=True)
class Operation:
    """What a caller sends, and who judges the answer."""

    name: str
    text: str
    variables: Mapping[str, Any]
    judge: Judge
    lists_trash: bool = False


@dataclass
class Drawing:
    """Draws the operations of one caller."""

    caller: Caller
    home: Home
    chance: random.Random
    drawn: int = field(default=0)

    def next(self) -> Operation:
        """Draw an operation. About half of them are on a document that all callers are busy with at the same time."""
        self.drawn += 1
        document = DOCUMENTS[self.drawn // 4 % len(DOCUMENTS)]
        if self.chance.random() < 0.5:
            document = self.chance.choice(DOCUMENTS)
        kinds = [
            *(self.ensure, self.ensure_many, self.by_id, self.nodes),
            *(self.list, self.trash, self.post, self.create),
        ]
        (kind,) = self.chance.choices(kinds, _WEIGHTS)
        return kind(document)

    def ensure(self, document: str) -> Operation:
        """Ensure the chat of a section, which most often stands in the document."""
        return self.ensure_in(document, self._section(document))

    def ensure_in(self, document: str, section: str) -> Operation:
        """Ensure the chat of a section."""
        judge = self._judge_ensured(document, section)
        variables = {"document": document, "section": section}
        return Operation("ensure", texts.ENSURE, variables, lambda data: judge(data["ensureSectionChat"]))

    def ensure_many(self, document: str) -> Operation:
        """Ensure the chats of several sections at once."""
        sections = list(dict.fromkeys(self._section(document) for _ in range(4)))
        judges = {section: self._judge_ensured(document, section) for section in sections}

        def judge(data: Mapping[str, Any]) -> Iterator[str]:
            answer = data["ensureSectionChats"]
            if "results" not in answer:
                for each in judges.values():
                    yield from each(answer)
                return
            for result in answer["results"]:
                yield from judges[result["sectionId"]](result["error"] or result["chat"])

        return Operation("ensure many", texts.ENSURE_MANY, {"document": document, "sections": sections}, judge)

    def by_id(self, document: str) -> Operation:
        """Read a document, a section or a chat by its id, with all that lies around it."""
        principal, rights = self.caller.principal, self.home.rights
        section = self._section(document)
        shown, seen = self._documents_of(section), rights.sees_section(principal, section)

        def of_document(data: Mapping[str, Any]) -> Iterator[str]:
            yield from _shows(data["document"], rights.sees_document(principal, document), document)
            if data["document"]:
                role = rights.on_document(principal, document) or 0
                granted = len([each for each, _ in rights.grants if each == document])
                if data["document"]["grants"]["totalCount"] != (granted if role >= Role.EDITOR else 0):
                    yield f"the grants on {document} are miscounted"

        def of_section(data: Mapping[str, Any]) -> Iterator[str]:
            yield from _shows(data["section"], seen, section)
            if data["section"] and _ids(data["section"]["documents"]) != shown:
                yield f"{section} is shown in {data['section']['documents']}, not in {shown}"

        if self.chance.random() < 0.4:
            return Operation("document", texts.DOCUMENT, {"id": document}, of_document)
        if self.chance.random() < 0.5 or section not in self.home.chats:
            return Operation("section", texts.SECTION, {"id": section}, of_section)
        chat = section.replace("sec_", "chat_")
        return Operation("chat", texts.CHAT, {"id": chat}, lambda data: _shows(data["chatSession"], seen, chat))

    def nodes(self, document: str) -> Operation:
        """Read objects of all types by their ids."""
        principal, rights = self.caller.principal, self.home.rights
        sections = [self._section(document), self._section(document), self.chance.choice(self.home.chats)]
        expected = {document: rights.sees_document(principal, document)}
        for section in sections:
            seen = rights.sees_section(principal, section)
            expected[section] = seen
            if section in self.home.chats:
                expected |= dict.fromkeys([section.replace("sec_", "chat_"), f"msg_{section[4:]}_2"], seen)
        expected |= {WORKSPACE + each: each == principal.workspace_id for each in WORKSPACES}

        def judge(data: Mapping[str, Any]) -> Iterator[str]:
            for (node_id, seen), node in zip(expected.items(), data["nodes"], strict=True):
                yield from _shows(node, seen, node_id)

        return Operation("nodes", texts.NODES, {"ids": list(expected)}, judge)

    def list(self, _document: str) -> Operation:
        """List the oldest documents, which are those that the world began with, and count them all."""
        principal, rights = self.caller.principal, self.home.rights
        expected = {each for each in rights.documents if rights.sees_document(principal, each)}
        named = principal.documents is not None

        def judge(data: Mapping[str, Any]) -> Iterator[str]:
            viewer, found = data["viewer"], data["documents"]
            if viewer["workspace"]["id"] != WORKSPACE + principal.workspace_id:
                yield f"the viewer is in {viewer['workspace']['id']}"
            if not principal.user_id.startswith("guest") and viewer["user"]["id"] != f"user_{principal.user_id}":
                yield f"the viewer is {viewer['user']['id']}"
            if (ids := _ids(found) & set(DOCUMENTS)) != expected:
                yield f"{ids} are listed, not {expected}"
            made = 0 if named else len(self.home.made)
            if not len(expected) <= found["totalCount"] <= len(expected) + made:
                yield f"{found['totalCount']} documents are counted, not {len(expected)} and at most {made}"

        return Operation("list", texts.LIST, {}, judge)

    def trash(self, _document: str) -> Operation:
        """List and count the trash."""
        expected = set(self.home.trashed(self.caller.principal))

        def judge(data: Mapping[str, Any]) -> Iterator[str]:
            if (found := _ids(data["trashedDocuments"]) | _ids(data["trashedSections"])) != expected:
                yield f"{found} are in the trash, not {expected}"
            if sum(each["totalCount"] for each in data.values()) != len(expected):
                yield f"the trash counts {data}"

        return Operation("trash", texts.TRASH, {}, judge, lists_trash=True)

    def post(self, document: str) -> Operation:
        """Post a message for the readers of a section."""
        section = self._section(document)
        if section not in self.home.chats:
            section = self.chance.choice(self.home.chats)
        role = self.home.rights.on_section(self.caller.principal, section) or 0
        if not self.home.rights.sees_section(self.caller.principal, section):
            expected = "CHAT_SESSION_NOT_FOUND"
        else:
            expected = "posted" if role >= Role.COMMENTER else "FORBIDDEN"
        text = f"Posted {canary(self.caller.principal.workspace_id, section)}"
        variables = {"chat": section.replace("sec_", "chat_"), "content": text}
        return Operation("post", texts.POST, variables, lambda data: _answers(data["postMessage"], expected))

    def create(self, _document: str) -> Operation:
        """Create a document that is open to the workspace. The other workspace creates one of the same id."""
        here, made = self.caller.principal.workspace_id, self.home.made
        may = self.caller.principal.documents is None and (self.caller.principal.role or 0) >= Role.EDITOR
        document = f"doc_made_{len(made)}"
        if may:
            made[document] = {"created_by": self.caller.principal.user_id}
        variables = {"id": document, "title": f"Made {canary(here, document)}"}
        expected = "created" if may else "FORBIDDEN"
        return Operation("create", texts.CREATE, variables, lambda data: _answers(data["createDocument"], expected))

    def _section(self, document: str) -> str:
        sections = list(self.home.rights.sections)
        if self.chance.random() < 0.8:
            sections = [each for each in sections if document in self.home.rights.sections[each]["documents"]]
        return self.chance.choice(sections)

    def _documents_of(self, section: str) -> set[str]:
        holding = self.home.rights.sections[section]["documents"]
        return {each for each in holding if self.home.rights.sees_document(self.caller.principal, each)}

    def _judge_ensured(self, document: str, section: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
        home, principal = self.home, self.caller.principal
        was_open = section in home.opened
        with_chat, without = (
            home.rights.outcome_of_ensure(principal, document, section, has_chat=has_chat) for has_chat in (True, False)
        )
        if without == "a chat":
            home.opening.add(section)

        def judge(answer: Mapping[str, Any]) -> Iterator[str]:
            expected = {with_chat} if was_open else {without} if section not in home.opening else {with_chat, without}
            code = answer.get("code", "a chat")
            if code == "a chat":
                home.opened.add(section)
                if section in home.chats and answer["id"] != section.replace("sec_", "chat_"):
                    yield f"the chat of {section} is {answer['id']}"
            if code not in {*expected, LATER}:
                yield f"{document} with {section} answers {code}, not {' or '.join(expected)}"

        return judge


_WEIGHTS = [34, 10, 20, 12, 8, 6, 6, 4]


def _shows(node: Mapping[str, Any] | None, expected: bool, name: str) -> Iterator[str]:
    if (node is not None) != expected:
        yield f"{name} is {'hidden' if expected else 'shown'}"


def _answers(answer: Mapping[str, Any], expected: str) -> Iterator[str]:
    if (code := answer.get("code", expected)) not in (expected, LATER):
        yield f"the answer is {code}, not {expected}"
    if "code" not in answer and expected.isupper():
        yield f"the answer is {answer}, not {expected}"


def _ids(connection: Mapping[str, Any]) -> set[str]:
    return {edge["node"]["id"] for edge in connection["edges"]}
