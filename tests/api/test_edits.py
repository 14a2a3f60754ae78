"""Edits: the fields of sections and documents are changed together, and nobody's change is lost unseen."""

import asyncio
from typing import Any

import pytest

from db.models import UserKind
from db.principals import Principal, Role
from services import limits
from tests.api.operations import (
    UPDATE_DOCUMENT,
    UPDATE_SECTION,
    create_document,
    create_section,
    edit,
    edit_document,
    ensure_chat,
    trash,
)
from tests.conftest import Serve
from tests.support.client import Client

SECTION = "query ($id: ID!) { section(id: $id) { version title content chat { id } editedBy { id } } }"

EVERYTHING = {
    "title": "Another title",
    "level": 3,
    "content": "Another text\r\n\u2028",
    "status": "REVIEWED",
    "tags": ["a", "b"],
    "metadata": {"key": [1, 2.5, None, {"deep": "x\\u0000"}]},
}


@pytest.fixture
async def document(client: Client) -> str:
    return await create_document(client)


@pytest.fixture
async def section(client: Client, document: str) -> str:
    return await create_section(client, document, title="A title", content="A text")


async def refused(client: Client, section: str, changes: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """Send changes that are refused, and return the error."""
    error: dict[str, Any] = (await client(UPDATE_SECTION, sectionId=section, changes=changes, **arguments))[
        "updateSection"
    ]
    assert error["__typename"] != "UpdateSectionSuccess"
    return error


async def test_all_fields_of_a_section_change_together(client: Client, document: str, section: str) -> None:
    chat = await ensure_chat(client, document, section)
    changed = await edit(client, section, EVERYTHING, summary="As agreed")
    assert changed.items() >= EVERYTHING.items()
    assert (changed["version"], changed["changeSummary"], changed["isGenerated"]) == (2, "As agreed", False)
    found = (await client(SECTION, id=section))["section"]
    assert (found["content"], found["chat"]["id"], found["version"]) == (EVERYTHING["content"], chat, 2)


async def test_a_field_that_is_left_out_stays_and_a_title_can_go(client: Client, section: str) -> None:
    changed = await edit(client, section, {"title": None})
    assert (changed["title"], changed["content"], changed["level"]) == ("", "A text", 1)


async def test_the_same_again_makes_no_version(client: Client, section: str) -> None:
    for expected in (True, False):
        answer = (await client(UPDATE_SECTION, sectionId=section, changes=EVERYTHING))["updateSection"]
        assert (answer["isChanged"], answer["section"]["version"]) == (expected, 2)
    assert (await edit(client, section, {}))["version"] == 2


async def test_who_has_seen_an_older_version_gets_the_present_one_and_changes_nothing(
    client: Client, section: str
) -> None:
    await edit(client, section, {"content": "First"}, expectedVersion=1)
    conflict = await refused(client, section, {"content": "Second"}, expectedVersion=1)
    assert conflict == {
        "__typename": "VersionConflict",
        "message": "This was changed meanwhile",
        "code": "VERSION_CONFLICT",
        "subjectId": section,
        "currentVersion": 2,
        "current": {"id": section, "content": "First", "version": 2},
    }
    assert (await edit(client, section, {"content": "Third"}))["version"] == 3, "without it, the last writer wins"


async def test_of_32_who_have_seen_the_same_version_one_wins_each_round(
    client: Client, document: str, section: str
) -> None:
    for version in range(1, 4):
        answers = await asyncio.gather(
            *(
                client(
                    UPDATE_SECTION, sectionId=section, changes={"content": f"{version}-{n}"}, expectedVersion=version
                )
                for n in range(32)
            ),
            *(ensure_chat(client, document, section) for _ in range(4)),
        )
        kinds = [each["updateSection"]["__typename"] for each in answers[:32]]
        assert sorted(kinds) == ["UpdateSectionSuccess", *["VersionConflict"] * 31]
        assert len(set(answers[32:])) == 1
    assert (await client(SECTION, id=section))["section"]["version"] == 4


async def test_a_status_moves_by_allowed_steps(client: Client, section: str) -> None:
    assert (await refused(client, section, {"status": "APPROVED"}))["violations"] == [
        {"path": ["changes", "status"], "message": "is APPROVED; after DRAFT it can be GENERATED or REVIEWED"}
    ]
    for status in ("GENERATED", "REVIEWED", "APPROVED", "DRAFT"):
        assert (await edit(client, section, {"status": status}))["status"] == status


async def test_what_a_machine_wrote_says_so(serve: Serve, section: str) -> None:
    async with serve(Principal("bot", "local", Role.EDITOR, UserKind.ASSISTANT)) as assistant:
        by_assistant = await edit(assistant, section, {"content": "By the assistant"})
    assert (by_assistant["isGenerated"], by_assistant["editedBy"]) == (True, {"id": "user_bot"})
    async with serve() as client:
        assert (await edit(client, section, {"status": "GENERATED"}))["isGenerated"] is True
        assert (await edit(client, section, {"content": "By a person"}))["isGenerated"] is False


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"title": "a" * (limits.TITLE_LENGTH + 1)}, "title"),
        ({"level": 7}, "level"),
        ({"level": None}, "level"),
        ({"content": None}, "content"),
        ({"content": "\0"}, "content"),
        ({"content": "a" * (limits.CONTENT_LENGTH + 1)}, "content"),
        ({"status": None}, "status"),
        ({"tags": None}, "tags"),
        ({"tags": ["a", "a"]}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["a" * (limits.TAG_LENGTH + 1)]}, "tags"),
        ({"tags": [str(n) for n in range(limits.TAGS + 1)]}, "tags"),
        ({"metadata": None}, "metadata"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": "\0"}}, "metadata"),
        ({"metadata": {"\0": 1}}, "metadata"),
        ({"metadata": {"a": "b" * limits.METADATA_LENGTH}}, "metadata"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_name_of_its_field(
    client: Client, section: str, changes: dict[str, Any], field: str
) -> None:
    error = await refused(client, section, changes)
    assert (error["__typename"], [each["path"] for each in error["violations"]]) == (
        "InvalidInput",
        [["changes", field]],
    )
    assert (await client(SECTION, id=section))["section"]["version"] == 1


async def test_metadata_are_nested_as_deep_as_published(client: Client, section: str) -> None:
    deep: Any = 1
    for _ in range(limits.METADATA_DEPTH):
        deep = {"a": deep}
    assert (await edit(client, section, {"metadata": deep}))["metadata"] == deep
    assert (await refused(client, section, {"metadata": {"a": deep}}))["__typename"] == "InvalidInput"


async def test_only_an_editor_edits(serve: Serve, document: str, section: str) -> None:
    for role in (Role.READER, Role.COMMENTER):
        async with serve(Principal("rita", "local", role)) as rita:
            assert (await refused(rita, section, {"content": "Hers"}))["__typename"] == "Forbidden"
            answer = await rita(UPDATE_DOCUMENT, docId=document, changes={"title": "Hers"})
            assert answer["updateDocument"]["__typename"] == "Forbidden"


async def test_what_is_in_the_trash_is_not_edited(client: Client, document: str, section: str) -> None:
    await trash(client, document, section)
    assert (await refused(client, section, {"content": "Late"}))["__typename"] == "SectionNotFound"
    answer = await client(UPDATE_DOCUMENT, docId=document, changes={"title": "Late"})
    assert answer["updateDocument"]["__typename"] == "DocumentNotFound"


async def test_all_fields_of_a_document_change_together(client: Client, document: str) -> None:
    everything = {"title": "Another", "description": "What it is", "tags": ["x"], "metadata": {"a": 1}}
    changed = await edit_document(client, document, everything, expectedVersion=1, summary="Why")
    assert changed.items() >= {**everything, "version": 2, "changeSummary": "Why"}.items()
    assert (await edit_document(client, document, {"description": None}))["description"] is None
    conflict = (await client(UPDATE_DOCUMENT, docId=document, changes={"title": "B"}, expectedVersion=1))[
        "updateDocument"
    ]
    assert (
        conflict.items()
        >= {
            "code": "VERSION_CONFLICT",
            "current": {"id": document, "title": "Another", "version": 3},
        }.items()
    )
