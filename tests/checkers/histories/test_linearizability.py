"""The checker of histories, tested itself: tiny histories that are right, and such as must not pass."""

import random

import pytest

from tests.checkers.histories.linearizability import NEVER, Undecided, left_over
from tests.checkers.reference_model import Answer, Call, Margin, Operation, Verb, changed_nothing, step

HERE = Margin(placed=frozenset({("doc", "sec")}))
ENSURE = Call(Verb.ENSURE, "doc", "sec")
THROUGH_OTHER = Call(Verb.ENSURE, "other", "sec")
PEEK = Call(Verb.PEEK, "doc", "sec")
REMOVE = Call(Verb.REMOVE, "doc", "sec")
PLACE = Call(Verb.PLACE, "other", "sec")
TRASH, RESTORE, PURGE = (
    Call(Verb.TRASH_DOCUMENT, "doc"),
    Call(Verb.RESTORE_DOCUMENT, "doc"),
    Call(Verb.PURGE_DOCUMENT, "doc"),
)
TRASH_SECTION = Call(Verb.TRASH_SECTION, section="sec")
RESTORE_SECTION = Call(Verb.RESTORE_SECTION, section="sec")
PURGE_SECTION = Call(Verb.PURGE_SECTION, section="sec")

CREATED, FOUND = Answer("CREATED", "chat_1"), Answer("FOUND", "chat_1")


def did(called: float, returned: float, call: Call, kind: Answer | str | None) -> Operation:
    return Operation(call, Answer(kind) if isinstance(kind, str) else kind, called, returned)


RIGHT = {
    "nothing": [],
    "one after the other": [
        did(0, 1, PEEK, "Forbidden"),
        did(2, 3, ENSURE, CREATED),
        did(4, 5, ENSURE, FOUND),
        did(6, 7, PEEK, FOUND),
        did(8, 9, THROUGH_OTHER, "SectionNotInDocument"),
        did(10, 11, PLACE, "PlaceSectionSuccess"),
        did(12, 13, THROUGH_OTHER, FOUND),
        did(14, 15, REMOVE, "RemoveSectionSuccess"),
        did(16, 17, ENSURE, "SectionNotInDocument"),
    ],
    "the one who was called last came first": [did(0, 9, ENSURE, FOUND), did(1, 8, ENSURE, CREATED)],
    "one that overlaps a removal is told of a chat": [
        did(0, 5, REMOVE, "RemoveSectionSuccess"),
        did(4, 9, ENSURE, CREATED),
    ],
    "one that overlaps a removal is told of it": [
        did(0, 9, REMOVE, "RemoveSectionSuccess"),
        did(1, 2, ENSURE, CREATED),
        did(3, 4, ENSURE, "SectionNotInDocument"),
    ],
    "a trashed document is not there, and then is again": [
        did(0, 1, TRASH, "TrashDocumentSuccess"),
        did(2, 3, ENSURE, "DocumentNotFound"),
        did(4, 9, RESTORE, "RestoreDocumentSuccess"),
        did(5, 6, ENSURE, "DocumentNotFound"),
        did(7, 8, ENSURE, CREATED),
    ],
    "what would have changed nothing at once changed something later": [
        did(0, 9, TRASH, "TrashDocumentSuccess"),
        did(1, 20, RESTORE, "RestoreDocumentSuccess"),
        did(10, 11, ENSURE, "DocumentNotFound"),
        did(21, 22, ENSURE, CREATED),
    ],
    "a trashed section is not there, and keeps its chat": [
        did(0, 1, ENSURE, CREATED),
        did(2, 3, TRASH_SECTION, "TrashSectionSuccess"),
        did(4, 5, REMOVE, "SectionNotFound"),
        did(6, 7, RESTORE_SECTION, "RestoreSectionSuccess"),
        did(8, 9, ENSURE, FOUND),
    ],
    "what is purged goes with all that stands nowhere else": [
        did(0, 1, PURGE, "NotInTrash"),
        did(2, 3, TRASH, "TrashDocumentSuccess"),
        did(4, 5, PURGE, "PurgeDocumentSuccess"),
        did(6, 7, RESTORE_SECTION, "SectionNotFound"),
        did(8, 9, PURGE, "DocumentNotFound"),
    ],
    "what stands elsewhere is not purged along": [
        did(0, 1, ENSURE, CREATED),
        did(2, 3, PLACE, "PlaceSectionSuccess"),
        did(4, 5, TRASH, "TrashDocumentSuccess"),
        did(6, 7, PURGE, "PurgeDocumentSuccess"),
        did(8, 9, THROUGH_OTHER, FOUND),
        did(10, 11, TRASH_SECTION, "TrashSectionSuccess"),
        did(12, 13, PURGE_SECTION, "PurgeSectionSuccess"),
        did(14, 15, THROUGH_OTHER, "SectionNotFound"),
    ],
    "one whose answer was lost opened the chat": [did(0, NEVER, ENSURE, None), did(1, 2, ENSURE, FOUND)],
    "one whose answer was lost did nothing": [did(0, NEVER, REMOVE, None), did(1, 2, ENSURE, CREATED)],
    "one whose answer was lost took effect long after": [
        did(0, NEVER, REMOVE, None),
        did(1, 2, ENSURE, CREATED),
        did(3, 4, ENSURE, FOUND),
        did(5, 6, ENSURE, "SectionNotInDocument"),
    ],
}

WRONG = {
    "a chat found where the removal was acknowledged": [
        did(0, 1, ENSURE, CREATED),
        did(2, 3, REMOVE, "RemoveSectionSuccess"),
        did(4, 5, ENSURE, FOUND),
    ],
    "a chat opened where the removal was acknowledged": [
        did(0, 1, REMOVE, "RemoveSectionSuccess"),
        did(2, 3, ENSURE, CREATED),
    ],
    "two that opened the chat": [did(0, 5, ENSURE, CREATED), did(1, 6, ENSURE, CREATED)],
    "two chats": [did(0, 5, ENSURE, CREATED), did(1, 6, ENSURE, Answer("FOUND", "chat_2"))],
    "a chat that nobody opened": [did(0, 1, ENSURE, FOUND)],
    "a chat that was not seen after it was opened": [did(0, 1, ENSURE, CREATED), did(2, 3, PEEK, "Forbidden")],
    "a chat whose pointer was wrong": [did(0, 1, ENSURE, CREATED), did(2, 3, ENSURE, Answer("REPAIRED", "chat_1"))],
    "a section that is not there after it was placed": [
        did(0, 1, PLACE, "PlaceSectionSuccess"),
        did(2, 3, THROUGH_OTHER, "SectionNotInDocument"),
    ],
    "a document that is there after it was trashed": [
        did(0, 1, TRASH, "TrashDocumentSuccess"),
        did(2, 3, ENSURE, CREATED),
    ],
    "a document that is not there after it was restored": [
        did(0, 1, TRASH, "TrashDocumentSuccess"),
        did(2, 3, RESTORE, "RestoreDocumentSuccess"),
        did(4, 5, ENSURE, "DocumentNotFound"),
    ],
    "a section that was removed twice": [
        did(0, 5, REMOVE, "RemoveSectionSuccess"),
        did(1, 6, REMOVE, "RemoveSectionSuccess"),
    ],
    "a no that changed something": [did(0, 1, REMOVE, "DocumentNotFound"), did(2, 3, ENSURE, "SectionNotInDocument")],
    "an opening that waited until after the removal": [
        # The opening saw the placement, so it came before the removal; whoever looked after that saw no chat.
        did(0, 9, ENSURE, CREATED),
        did(1, 2, REMOVE, "RemoveSectionSuccess"),
        did(3, 4, Call(Verb.PEEK, "other", "sec"), "Forbidden"),
    ],
    "two chats that the lost one may have opened": [
        did(0, NEVER, ENSURE, None),
        did(1, 2, ENSURE, FOUND),
        did(3, 4, ENSURE, Answer("FOUND", "chat_2")),
    ],
}


def test_a_wrong_pointer_is_repaired_once() -> None:
    pointing = HERE._replace(chats=frozenset({("sec", "chat_1")}), pointers=frozenset({("sec", "chat_gone")}))
    repaired = did(0, 5, ENSURE, Answer("REPAIRED", "chat_1"))
    assert left_over([repaired, did(1, 4, ENSURE, FOUND)], pointing, step, changed_nothing) == []
    for wrong in (Answer("REPAIRED", "chat_1"), Answer("FOUND", "chat_gone"), CREATED):
        assert left_over([repaired, did(1, 4, ENSURE, wrong)], pointing, step, changed_nothing)
    assert left_over([did(0, 1, ENSURE, FOUND)], pointing, step, changed_nothing)


@pytest.mark.parametrize("name", RIGHT)
def test_a_history_that_one_thing_at_a_time_explains_passes(name: str) -> None:
    assert left_over(RIGHT[name], HERE, step, changed_nothing) == []


@pytest.mark.parametrize("name", WRONG)
def test_a_history_that_nothing_explains_is_found(name: str) -> None:
    in_two = HERE._replace(placed=HERE.placed | {("other", "sec")}) if "waited" in name else HERE
    assert left_over(WRONG[name], in_two, step, changed_nothing)


def test_what_is_left_over_begins_where_the_history_goes_wrong() -> None:
    wrong = WRONG["a chat found where the removal was acknowledged"]
    assert left_over(wrong, HERE, step, changed_nothing) == wrong[-1:]


def test_many_who_overlap_are_explained_in_time() -> None:
    """Forty at once have more orders than there are atoms; those that change nothing need not be tried in all."""
    calls = [did(n, 100 + n, ENSURE, FOUND) for n in range(39)]
    calls.append(did(39, 50, ENSURE, CREATED))
    random.Random(1).shuffle(calls)  # noqa: S311 - an order, not a secret
    assert left_over(calls, HERE, step, changed_nothing) == []
    calls.append(did(40, 60, ENSURE, CREATED))
    assert left_over(calls, HERE, step, changed_nothing)


def test_a_search_without_an_end_says_that_it_has_not_decided() -> None:
    """Shows: nothing passes because the time was up."""
    sections = [f"sec_{n}" for n in range(30)]
    everywhere = Margin(placed=frozenset(("doc", section) for section in sections))
    calls = [
        did(n, 100, Call(Verb.REMOVE, "doc", section), "RemoveSectionSuccess") for n, section in enumerate(sections)
    ]
    calls.append(did(31, 100, ENSURE, FOUND))
    with pytest.raises(Undecided, match="31 operations"):
        left_over(calls, everywhere, step, changed_nothing, seconds=0.2)
