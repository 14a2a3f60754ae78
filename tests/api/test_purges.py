"""Purges of what is large: made in portions, of which each leaves the rest whole, and brought to their end."""

from typing import Any

import pytest
from sqlalchemy import text

from db import purges
from db.connection.database import Database
from db.doctor.scanner import Scanner
from services import doctor
from services import trash as trash_service
from tests.api.arranging import MOVE, PLACE, arrange
from tests.api.operations import (
    create_document,
    edit,
    edit_document,
    ensure_chat,
    headings,
    import_document,
    post_message,
    section_ids,
)
from tests.api.test_doctor import REPAIR
from tests.api.test_trash import (
    PURGE_DOCUMENT,
    PURGE_SECTION,
    RESTORE_DOCUMENT,
    RESTORE_SECTION,
    TRASH_DOCUMENT,
    TRASH_SECTION,
    listed,
    move,
)
from tests.support.client import Client, Served
from tests.support.concurrent_callers import place, post
from tests.support.counting import counted
from tests.support.invariants import violations

SECTIONS = 7
HISTORY = ("section_revisions", "document_revisions", "former_placements")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purges, "SECTIONS", 2)
    monkeypatch.setattr(purges, "ENTRIES", 3)
    monkeypatch.setattr(purges, "MANY", 1)


async def large(client: Client) -> tuple[str, list[str], list[str]]:
    """Make a document in the trash with seven sections, of which two have a chat: one of eight messages, one of two."""
    document = await import_document(client, headings(SECTIONS))
    sections = await section_ids(client, document)
    chats = [await ensure_chat(client, document, section) for section in sections[2:4]]
    for chat, count in zip(chats, (8, 2), strict=True):
        for number in range(count):
            await post_message(client, chat, f"Text {number}")
    await move(client, TRASH_DOCUMENT, document)
    return document, sections, chats


async def count(database: Database, table: str) -> int:
    async with database.read() as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)  # noqa: S608 - our own names


def stopping(monkeypatch: pytest.MonkeyPatch, database: Database, portions: int) -> None:
    """End the process, as it were, after some portions."""
    transact, left = database.transact, portions

    async def counted_down(work: Any, **how: Any) -> Any:
        nonlocal left
        if not left:
            monkeypatch.setattr(database, "transact", transact)
            raise RuntimeError("killed")
        left -= 1
        return await transact(work, **how)

    monkeypatch.setattr(database, "transact", counted_down)


async def half_purged(client: Served, monkeypatch: pytest.MonkeyPatch, portions: int) -> tuple[str, list[str]]:
    document, sections, _ = await large(client)
    stopping(monkeypatch, client.database, portions)
    purge = f'mutation {{ purgeDocument(docId: "{document}") {{ __typename }} }}'
    assert (await client.result(purge))["errors"][0]["extensions"]["code"] == "INTERNAL"
    return document, sections


async def age(database: Database) -> None:
    """Let what a purge has marked be some minutes old."""
    async with database.begin() as session:
        for table in ("documents", "sections"):
            await session.execute(text(f"UPDATE {table} SET updated_at = '2026-01-01 00:00:00.000000'"))  # noqa: S608


async def test_a_large_document_is_purged_in_portions_and_all_of_it_is_counted(
    client: Served, database: Database
) -> None:
    document, *_ = await large(client)
    with counted(client.database) as statements:
        purged = await move(client, PURGE_DOCUMENT, document)
    assert purged == {
        "__typename": "PurgeDocumentSuccess",
        "sectionCount": SECTIONS,
        "chatCount": 2,
        "messageCount": 10,
    }
    assert sum(statement.startswith("COMMIT") for statement in statements) > SECTIONS / 2
    assert [await count(database, table) for table in ("documents", "sections", "chat_sessions", "messages")] == [0] * 4
    assert (await move(client, PURGE_DOCUMENT, document))["__typename"] == "DocumentNotFound"


async def test_sections_that_stand_elsewhere_are_kept_by_every_portion(client: Client, database: Database) -> None:
    other = await create_document(client)
    document = await import_document(client, headings(SECTIONS))
    sections = await section_ids(client, document)
    chats = {section: await ensure_chat(client, document, section) for section in sections}
    for section in sections[::2]:
        await place(client, other, section)
    await move(client, TRASH_DOCUMENT, document)
    purged = await move(client, PURGE_DOCUMENT, document)
    assert (purged["sectionCount"], purged["chatCount"]) == (3, 3)
    assert await section_ids(client, other) == sections[::2]
    for section in sections[::2]:
        assert await ensure_chat(client, other, section) == chats[section]
        opened = await client("query ($id: ID!) { chatSession(id: $id) { document { id } } }", id=chats[section])
        assert opened["chatSession"]["document"] is None
    assert await violations(database) == []


@pytest.mark.slow
@pytest.mark.parametrize("portions", [1, 3, *(pytest.param(each, marks=pytest.mark.thorough) for each in (2, 4, 5))])
async def test_what_a_purge_that_was_killed_has_left_is_whole_and_the_next_one_takes_it(
    client: Served, database: Database, monkeypatch: pytest.MonkeyPatch, portions: int
) -> None:
    document, _ = await half_purged(client, monkeypatch, portions)
    assert await violations(database) == []
    assert 0 < await count(database, "sections") <= SECTIONS
    # There is no way back: half of it would be gone.
    assert (await move(client, RESTORE_DOCUMENT, document))["__typename"] == "DocumentNotFound"
    assert (await move(client, TRASH_DOCUMENT, document))["__typename"] == "DocumentNotFound"
    for kind in ("Document", "Section"):
        assert (await listed(client, kind))["edges"] == []
    assert (await move(client, PURGE_DOCUMENT, document))["__typename"] == "PurgeDocumentSuccess"
    assert [await count(database, table) for table in ("documents", "sections", "messages")] == [0] * 3


@pytest.mark.slow
@pytest.mark.parametrize("portions", [pytest.param(1, marks=pytest.mark.thorough), 3])
async def test_the_doctor_tells_of_a_purge_that_nobody_goes_on_with_and_ends_it(
    client: Served, database: Database, monkeypatch: pytest.MonkeyPatch, portions: int
) -> None:
    document, _ = await half_purged(client, monkeypatch, portions)
    assert await violations(database) == []  # somebody may still be at work
    await age(database)
    found = [finding for check in doctor.checks().values() async for finding in check(Scanner(database))]
    assert [finding.rule for finding in found] == ["NO_DANGLING_REFERENCE"] * len(found)
    assert document in {finding.ids[0] for finding in found}
    told = (await client(REPAIR))["repair"]["findings"]
    assert [finding["ids"] for finding in told] == [list(finding.ids) for finding in found]
    assert [await count(database, table) for table in ("documents", "sections", "messages")] == [0] * 3
    assert await violations(database) == []


async def test_a_purge_that_takes_too_long_asks_to_come_again_and_then_goes_on(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, *_ = await large(client)
    monkeypatch.setattr(trash_service, "PURGE_SECONDS", -1.0)
    kinds = [(await move(client, PURGE_DOCUMENT, document))["__typename"] for _ in range(20)]
    again = kinds.index("PurgeDocumentSuccess")
    assert again > 2
    assert kinds == ["TemporarilyUnavailable"] * again + ["PurgeDocumentSuccess"] + ["DocumentNotFound"] * (19 - again)
    assert await count(database, "sections") == 0


async def test_the_latest_messages_of_a_long_chat_go_first_and_nobody_posts_meanwhile(
    client: Served, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sections, (chat, _) = await large(client)
    section = sections[2]
    await move(client, TRASH_SECTION, section)
    stopping(monkeypatch, client.database, 1)
    purge = f'mutation {{ purgeSection(sectionId: "{section}") {{ __typename }} }}'
    assert (await client.result(purge))["errors"][0]["extensions"]["code"] == "INTERNAL"
    async with database.read() as session:
        numbers = await session.scalars(text("SELECT seq FROM messages ORDER BY chat_id, seq"))
        assert sorted(numbers) == [1, 1, 2, 2, 3, 4, 5]
    assert await violations(database) == []
    assert (await post(client, chat, "Text"))["__typename"] == "ChatSessionNotFound"
    assert (await move(client, RESTORE_SECTION, section))["__typename"] == "SectionNotFound"
    purged = await move(client, PURGE_SECTION, section)
    assert purged == {"__typename": "PurgeSectionSuccess", "sectionCount": 1, "chatCount": 1, "messageCount": 5}
    assert await violations(database) == []


async def test_what_is_small_goes_at_once(client: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purges, "SECTIONS", SECTIONS + 1)
    monkeypatch.setattr(purges, "ENTRIES", 10)
    document, *_ = await large(client)
    with counted(client.database) as statements:
        assert (await move(client, PURGE_DOCUMENT, document))["sectionCount"] == SECTIONS
    assert sum(statement.startswith("COMMIT") for statement in statements) == 1


async def test_a_long_history_goes_in_portions_and_with_its_owner(client: Served, database: Database) -> None:
    document = await import_document(client, headings(4))
    one, two, *_ = await section_ids(client, document)
    for number in range(5):
        await edit(client, one, {"content": f"Text {number}"})
        await edit(client, two, {"content": f"Text {number}"})
        await edit_document(client, document, {"title": f"Title {number}"})
        await arrange(client, MOVE, document, sectionId=one, at={"first" if number % 2 else "last": True})
    other = await create_document(client)
    await arrange(client, PLACE, other, sectionId=two)
    await arrange(client, MOVE, document, sectionId=two, at={"last": True})
    await move(client, TRASH_DOCUMENT, document)
    purged = await move(client, PURGE_DOCUMENT, document)
    assert purged == {"__typename": "PurgeDocumentSuccess", "sectionCount": 3, "chatCount": 0, "messageCount": 0}
    assert [await count(database, table) for table in HISTORY] == [5, 1, 0], "those of the other document stay"
    await move(client, TRASH_SECTION, two)
    assert (await move(client, PURGE_SECTION, two))["sectionCount"] == 1
    assert [await count(database, table) for table in HISTORY] == [0, 1, 0]
    assert await violations(database) == []
