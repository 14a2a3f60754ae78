"""The margin as one thing at a time: documents, sections that stand in them, and the one chat that each may have.

This is the one model that schedules, histories and random calls are held against. It knows nothing of transactions: it
says what each call answers and changes if nothing else happens meanwhile.
"""

from enum import StrEnum
from typing import NamedTuple

from tests.checkers.histories import linearizability


class Verb(StrEnum):
    """What can be asked. To peek is to ensure as one who may only read: it opens nothing."""

    ENSURE = "ensure"
    PEEK = "peek"
    REMOVE = "remove"
    PLACE = "place"
    TRASH_DOCUMENT = "trash document"
    RESTORE_DOCUMENT = "restore document"
    PURGE_DOCUMENT = "purge document"
    TRASH_SECTION = "trash section"
    RESTORE_SECTION = "restore section"
    PURGE_SECTION = "purge section"


class Call(NamedTuple):
    """What is asked, of which document and which section."""

    verb: Verb
    document: str = ""
    section: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, self))


class Answer(NamedTuple):
    """The type that was answered, or CREATED, FOUND or REPAIRED, and then the id of the chat."""

    kind: str
    chat: str | None = None


UNAVAILABLE = "TemporarilyUnavailable"
SOME = "?"
"""The id of a chat that was opened by a call whose answer is lost."""

Operation = linearizability.Operation[Call, Answer]


class Margin(NamedTuple):
    """The state: where sections stand, and their chats; which documents and sections are in the trash, or purged.

    `pointers` are those that are wrong: sections with the id that they point to in place of that of their chat, or "".
    """

    placed: frozenset[tuple[str, str]]
    chats: frozenset[tuple[str, str]] = frozenset()
    trashed: frozenset[str] = frozenset()
    purged: frozenset[str] = frozenset()
    pointers: frozenset[tuple[str, str]] = frozenset()

    def answered(self, call: Call, chat: str | None = None) -> tuple[str, "Margin"]:
        """Return the kind of the answer to a call, and the state after it; a chat that is opened gets the id `chat`."""
        return _STEPS[call.verb](self, call, Answer("", chat) if chat else None)

    def step(self, call: Call, answer: Answer | None) -> "Margin | None":
        """Return the state after a call; None: it cannot have answered so. No answer: whatever it was."""
        kind, after = _STEPS[call.verb](self, call, answer)
        if answer is None:
            return after
        return after if answer.kind == kind and (answer.chat is None) == (kind not in _WITH_CHAT) else None

    def hides(self, row: str) -> bool:
        """Tell whether a document or a section is not there for those who look."""
        return row in self.trashed or row in self.purged


_WITH_CHAT = ("CREATED", "FOUND", "REPAIRED")


class _Stepped(NamedTuple):
    kind: str
    after: Margin


def step(state: Margin, call: Call, answer: Answer | None) -> Margin | None:
    """Do as `Margin.step`; this is what the search takes."""
    return state.step(call, answer)


def changed_nothing(answer: Answer) -> bool:
    """Tell whether the answer says that all is as it was: a chat that was found, or a typed "no" (H6)."""
    return answer.kind not in ("CREATED", "REPAIRED") and not answer.kind.endswith("Success")


def _refused(state: Margin, call: Call, *, placed: bool = True) -> str | None:
    if state.hides(call.document):
        return "DocumentNotFound"
    if state.hides(call.section):
        return "SectionNotFound"
    if placed and (call.document, call.section) not in state.placed:
        return "SectionNotInDocument"
    return None


def _ensure(state: Margin, call: Call, answer: Answer | None) -> _Stepped:
    if refused := _refused(state, call):
        return _Stepped(refused, state)
    chat = dict(state.chats).get(call.section)
    told = answer.chat if answer else None
    if chat is None and call.verb is Verb.PEEK:
        return _Stepped("Forbidden", state)
    pointers = frozenset(pointer for pointer in state.pointers if pointer[0] != call.section)
    kind = "FOUND" if pointers == state.pointers else "REPAIRED"
    state = state._replace(pointers=pointers)
    if chat is None:
        return _Stepped("CREATED", state._replace(chats=state.chats | {(call.section, told or SOME)}))
    if chat == SOME and told is not None:
        return _Stepped(kind, state._replace(chats=state.chats - {(call.section, SOME)} | {(call.section, told)}))
    return _Stepped(kind if told in (None, chat) else f"{kind} {chat}", state)


def _remove(state: Margin, call: Call, _answer: Answer | None) -> _Stepped:
    if refused := _refused(state, call):
        return _Stepped(refused, state)
    return _Stepped("RemoveSectionSuccess", state._replace(placed=state.placed - {(call.document, call.section)}))


def _place(state: Margin, call: Call, _answer: Answer | None) -> _Stepped:
    if refused := _refused(state, call, placed=False):
        return _Stepped(refused, state)
    return _Stepped("PlaceSectionSuccess", state._replace(placed=state.placed | {(call.document, call.section)}))


def _trash(state: Margin, call: Call, _answer: Answer | None) -> _Stepped:
    return _moved(state, call, state.trashed | {call.document or call.section})


def _restore(state: Margin, call: Call, _answer: Answer | None) -> _Stepped:
    return _moved(state, call, state.trashed - {call.document or call.section})


def _moved(state: Margin, call: Call, trashed: frozenset[str]) -> _Stepped:
    kind, row = ("Document", call.document) if call.document else ("Section", call.section)
    if row in state.purged:
        return _Stepped(f"{kind}NotFound", state)
    done = "Trash" if call.verb in (Verb.TRASH_DOCUMENT, Verb.TRASH_SECTION) else "Restore"
    return _Stepped(f"{done}{kind}Success", state._replace(trashed=trashed))


def _purge_document(state: Margin, call: Call, _answer: Answer | None) -> _Stepped:
    if call.document in state.purged:
        return _Stepped("DocumentNotFound", state)
    if call.document not in state.trashed:
        return _Stepped("NotInTrash", state)
    elsewhere = {section for document, section in state.placed if document != call.document}
    here = {section for document, section in state.placed if document == call.document}
    return _Stepped("PurgeDocumentSuccess", _without(state, here - elsewhere | {call.document}))


def _purge_section(state: Margin, call: Call, _answer: Answer | None) -> _Stepped:
    if call.section in state.purged:
        return _Stepped("SectionNotFound", state)
    if call.section not in state.trashed:
        return _Stepped("NotInTrash", state)
    return _Stepped("PurgeSectionSuccess", _without(state, {call.section}))


def _without(state: Margin, gone: set[str]) -> Margin:
    return Margin(
        placed=frozenset(placed for placed in state.placed if gone.isdisjoint(placed)),
        chats=frozenset(chat for chat in state.chats if chat[0] not in gone),
        trashed=state.trashed - gone,
        purged=state.purged | gone,
        pointers=frozenset(pointer for pointer in state.pointers if pointer[0] not in gone),
    )


_STEPS = {
    Verb.ENSURE: _ensure,
    Verb.PEEK: _ensure,
    Verb.REMOVE: _remove,
    Verb.PLACE: _place,
    Verb.TRASH_DOCUMENT: _trash,
    Verb.RESTORE_DOCUMENT: _restore,
    Verb.PURGE_DOCUMENT: _purge_document,
    Verb.TRASH_SECTION: _trash,
    Verb.RESTORE_SECTION: _restore,
    Verb.PURGE_SECTION: _purge_section,
}
