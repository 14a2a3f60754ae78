"""Legacy files as they are read: what is in them, and what is wrong with them, with its place."""

import json

import pytest

from services import legacy
from services.legacy import BadFile
from tests.services.test_legacy import small

IDS = [7, "sec_x", "ü/ 1", "doc_x"]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "This is not JSON: Expecting value"),
        ("[" * 100_000, "This is nested too deeply"),
        ('{"documents": NaN}', "This is not JSON: NaN is not a JSON number"),
        ('{"sections": [], "sections": []}', "This is not JSON: an object has 'sections' twice"),
        ("[]", "The file: Input should be a valid dictionary"),
        ("{}", "This has none of documents, sections, chat_sessions, messages"),
        ('{"chats": [{"id": "x"}]}', "This has none of documents"),
        ('{"sections": {}}', "sections: Input should be a valid list"),
        ('{"sections": [{"id": "a"}, 5]}', "sections[1]: Input should be a valid dictionary"),
        ('{"sections": [{}]}', "sections[0].id: Field required"),
        ('{"sections": [{"id": ""}]}', "sections[0].id: is empty"),
        ('{"sections": [{"id": true}]}', "sections[0].id: is neither a string nor an integer"),
        ('{"sections": [{"id": 1.5}]}', "sections[0].id: is neither a string nor an integer"),
        ('{"sections": [{"id": "' + "x" * 253 + '"}]}', "sections[0].id: is too long for an id"),
        ('{"sections": [{"id": "a\\u0000"}]}', "sections[0].id: is too long for an id, or holds a NUL"),
        ('{"sections": [{"id": "a\\ud800"}]}', "sections[0].id: is too long for an id, or holds a NUL"),
        ('{"sections": [{"id": "a"}, {"id": "sec_a"}]}', "sections[1].id: sec_a is a duplicate of sections[0].id"),
        ('{"sections": [{"id": "a", "content": "\\u0000"}]}', "sections[0].content: holds a NUL character"),
        ('{"sections": [{"id": "a", "level": 7}]}', "sections[0].level: Input should be less than or equal to 6"),
        ('{"sections": [{"id": "a", "level": "1"}]}', "sections[0].level: Input should be a valid integer"),
        ('{"sections": [{"id": "a", "status": "DONE"}]}', "sections[0].status: is not one of DRAFT, GENERATED"),
        ('{"sections": [{"id": "a", "created_at": 5}]}', "sections[0].created_at: is not a string with a time"),
        ('{"sections": [{"id": "a", "created_at": "May"}]}', "sections[0].created_at: is not a time in ISO 8601"),
        (
            '{"sections": [{"id": "a", "created_at": "0001-01-01T00:00+02:00"}]}',
            "sections[0].created_at: is not a time",
        ),
        ('{"sections": [{"id": "a", "metadata": {"b": ["\\u0000"]}}]}', "sections[0].metadata: holds a NUL"),
        ('{"sections": [{"id": "a", "metadata": {"b": 1e999}}]}', "sections[0].metadata: holds a number that is too"),
        (
            '{"documents": [{"id": "d", "section_ids": ["a", "a"]}]}',
            "documents[0].section_ids[1]: sec_a is a duplicate of",
        ),
        ('{"chat_sessions": [{"id": "c", "section_id": "a"}]}', "chat_sessions[0].created_at: Field required"),
        (
            '{"messages": [{"id": "m", "chat_session_id": "c", "content": "x"}]}',
            "messages[0].created_at: Field required",
        ),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(source: str, problem: str) -> None:
    with pytest.raises(BadFile) as refused:
        legacy.read(source.encode())
    assert any(told.startswith(problem) for told in refused.value.problems), refused.value.problems


def test_fields_that_are_not_known_are_counted() -> None:
    file = legacy.read(json.dumps({**small(), "mood": 1, "sections": [{"id": n, "x": 1} for n in range(3)]}).encode())
    assert file.unknown == {"mood": 1, "sections[].x": 3}


def test_ids_of_any_form_are_kept_with_a_prefix_in_front() -> None:
    sections = legacy.read(json.dumps({"sections": [{"id": id} for id in IDS]}).encode()).sections
    assert [section.id for section in sections] == ["sec_7", "sec_x", "sec_ü/ 1", "sec_doc_x"]
