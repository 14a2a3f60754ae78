"""The doctor: what it finds is set right, nothing else is touched, and no message is lost."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from db import positions
from db.connection.database import Database
from db.doctor import scanner
from db.doctor.invariants import Rule
from db.doctor.scanner import Scanner
from db.models import ChatSession, Message, Placement, Section
from db.placements import LAST
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from services import doctor, sections
from services.doctor import Finding
from tests.support import factories
from tests.support.corruption import BROKEN, allow_two_chats, fill, say, unconstrain
from tests.support.invariants import of_rows, violations

TRASHED = datetime(2026, 1, 1, tzinfo=UTC)


async def found(database: Database, workspace_id: str | None = None) -> list[Finding]:
    scanner = Scanner(database, workspace_id)
    return [finding for check in of_rows().values() async for finding in check(scanner)]


async def repaired(database: Database) -> list[Finding]:
    """Repair all that can be, as it is found; return what was found."""
    scanner, findings = Scanner(database), []
    for check in of_rows().values():
        async for finding in check(scanner):
            await doctor.repair(scanner, finding)
            findings.append(finding)
    return findings


async def contents(database: Database, chat: ChatSession) -> Sequence[tuple[int, str]]:
    async with database.read() as session:
        rows = await session.execute(
            select(Message.seq, Message.content).where(Message.chat_id == chat.id).order_by(Message.seq)
        )
        return [(seq, content) for seq, content in rows]


async def one(database: Database, column: Any, *where: Any) -> Any:
    async with database.read() as session:
        return await session.scalar(select(column).where(*where))


@pytest.mark.parametrize("broken", BROKEN)
async def test_what_is_found_is_repaired_or_left_to_a_person(database: Database, broken: str) -> None:
    await fill(database)
    await unconstrain(database)
    async with database.begin() as session:
        await session.execute(text(BROKEN[broken]))
    messages = await one(database, func.count(Message.id))
    findings = await repaired(database)
    left = [finding.message for finding in findings if finding.repair is None]
    assert [finding.message for finding in await found(database)] == left
    assert bool(left) == (
        broken
        in {
            "NO_DANGLING_REFERENCE a chat with messages has its section",
            "NO_DANGLING_REFERENCE a message has its chat",
        }
    )
    assert await one(database, func.count(Message.id)) == messages
    # Again, on what is right by now: nothing happens.
    for finding in findings:
        await doctor.repair(Scanner(database), finding)
    assert [finding.message for finding in await found(database)] == left


async def test_chats_of_a_section_are_merged_into_the_oldest_in_the_order_of_time(database: Database) -> None:
    section = await factories.section(database, chat_session_id="chat_b")
    await allow_two_chats(database)
    chats = {
        name: await factories.chat(
            database, section, id=f"chat_{name}", last_seq=3, created_at=datetime(*made, tzinfo=UTC)
        )
        for name, made in {"a": (2026, 2, 2), "b": (2026, 1, 1), "c": (2026, 2, 2)}.items()
    }
    await say(database, chats["a"], "one", "three", "five", minute=0, client_id="once")
    await say(database, chats["b"], "two", "four", "six", minute=1, client_id="once")
    await say(database, chats["c"], "seven", "eight", "nine", minute=10, client_id="twice")

    findings = await repaired(database)

    assert [(finding.rule, finding.ids) for finding in findings] == [
        (Rule.ONE_CHAT_PER_SECTION, [section.id, "chat_a", "chat_b"]),
        (Rule.ONE_CHAT_PER_SECTION, [section.id, "chat_c", "chat_b"]),
    ]
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert await contents(database, chats["b"]) == list(enumerate(words, 1))
    assert await one(database, func.count(ChatSession.id)) == 1
    assert await one(database, Section.chat_session_id) == "chat_b"
    # The message that was posted later has lost its client id; the one of another key has kept it.
    kept = {"one": "once", "two": None, "seven": "twice"}
    assert {word: await one(database, Message.client_id, Message.content == word) for word in kept} == kept
    assert await violations(database) == []


async def test_what_is_found_is_told_in_the_order_of_ids(database: Database) -> None:
    # They lie in another order, and an engine that knows how few they are reads them as they lie.
    for number in (7, 2, 9, 4, 1, 8, 3, 6, 5):
        await factories.section(database, id=f"sec_0{number}", chat_session_id="chat_none")
    async with database.begin() as session:
        await session.execute(text("ANALYZE"))
    assert [finding.ids[0] for finding in await found(database)] == [f"sec_0{number}" for number in range(1, 10)]


async def test_messages_are_numbered_in_their_order_although_no_two_may_share_a_number(database: Database) -> None:
    chat = await factories.chat(database, await factories.section(database), last_seq=9)
    await say(database, chat, "b", "c", "d", "a")
    async with database.begin() as session:
        for content, seq in {"a": -7, "d": 2_000_000_000, "c": 3, "b": 2}.items():
            await session.execute(update(Message).where(Message.content == content).values(seq=seq))
    findings = await repaired(database)
    assert [finding.rule for finding in findings] == [Rule.NO_MISSING_CHAT_POINTER, Rule.MESSAGES_NUMBERED]
    told = f"The messages of chat {chat.id} are not numbered without a gap: -7 does not follow the number before it"
    assert findings[1].message == told
    assert await contents(database, chat) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    assert await violations(database) == []


async def test_positions_are_made_anew_in_their_order_and_there_is_room_behind_them(database: Database) -> None:
    document, other = await factories.document(database), await factories.document(database)
    placed = [await factories.section(database, document, id=f"sec_{n}") for n in range(5)]
    await factories.place(database, other, placed[0], "a5")
    async with database.begin() as session:
        here = (Placement.document_id == document.id,)
        await session.execute(update(Placement).where(*here, Placement.section_id == "sec_0").values(position="b0"))
    await repaired(database)
    async with database.read() as session:
        order = select(Placement.section_id, Placement.position).order_by(Placement.position)
        rows = (await session.execute(order.where(*here))).all()
    assert [section_id for section_id, _ in rows] == ["sec_1", "sec_2", "sec_3", "sec_4", "sec_0"]
    assert [position for _, position in rows] == positions.after(None, 5)
    assert await one(database, Placement.position, Placement.document_id == other.id) == "a5"
    created = await sections.create_section(Store(database, LOCAL_OWNER), document.id, {"title": "New"}, LAST, None)
    assert isinstance(created, sections.CreateSectionSuccess)
    assert await violations(database) == []


async def test_a_section_in_the_trash_is_pointed_to_its_chat_too(database: Database) -> None:
    section = await factories.section(database, deleted_at=TRASHED, chat_session_id="chat_gone")
    chat = await factories.chat(database, section)
    (finding,) = await repaired(database)
    assert (finding.rule, finding.ids) == (Rule.NO_WRONG_CHAT_POINTER, [section.id, "chat_gone"])
    assert await one(database, Section.chat_session_id) == chat.id


async def test_nothing_of_another_workspace_is_found_or_touched(database: Database) -> None:
    await factories.workspace(database, "other")
    ours = await factories.section(database, chat_session_id="chat_gone")
    theirs = await factories.section(database, workspace_id="other", id=ours.id, chat_session_id="chat_lost")
    (finding,) = await found(database, "local")
    assert (finding.workspace_id, finding.ids) == ("local", [ours.id, "chat_gone"])
    assert [finding.ids[1] for finding in await found(database)] == ["chat_gone", "chat_lost"]
    await doctor.repair(Scanner(database), finding)
    assert await one(database, Section.chat_session_id, Section.workspace_id == "other") == theirs.chat_session_id


@pytest.mark.parametrize("size", [1, *(pytest.param(each, marks=pytest.mark.thorough) for each in (2, 3)), 7])
async def test_a_table_is_walked_along_in_stretches_and_each_row_found_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(scanner, "FIRST", size)
    monkeypatch.setattr(scanner, "LONGEST", size)
    for workspace_id in ("another", "local", "other"):
        if workspace_id != "local":
            await factories.workspace(database, workspace_id)
        document = await factories.document(database, workspace_id=workspace_id)
        for n in range(6):
            pointer = "chat_gone" if n % 2 else None
            await factories.section(database, document, id=f"sec_{n}", chat_session_id=pointer)
    ids = [(finding.workspace_id, finding.rule, finding.ids[0]) for finding in await found(database)]
    pointers = [
        (name, "NO_WRONG_CHAT_POINTER", f"sec_{n}") for name in ("another", "local", "other") for n in (1, 3, 5)
    ]
    assert [each for each in ids if each[1] == "NO_WRONG_CHAT_POINTER"] == pointers
    assert [(name, rule) for name, rule, _ in ids if rule != "NO_WRONG_CHAT_POINTER"] == [
        ("another", "POSITIONS_DISTINCT"),
        ("local", "POSITIONS_DISTINCT"),
        ("other", "POSITIONS_DISTINCT"),
    ]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_repair_waits_for_an_ensure_and_leaves_what_it_has_done(database: Database) -> None:
    """What was found is old by then: the pointer names the new chat, and stays."""
    document = await factories.document(database)
    section = await factories.section(database, document, chat_session_id="chat_gone")
    (finding,) = await found(database)
    async with database.begin() as session:
        chat = await factories.open_chat(session, document, section)
        repair = asyncio.create_task(doctor.repair(Scanner(database), finding))
        await asyncio.sleep(0.2)
        assert not repair.done()
    await repair
    assert await one(database, Section.chat_session_id) == chat


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_the_engine_says_of_itself_is_told(database: Database) -> None:
    section = await factories.section(database)
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE sections DROP CONSTRAINT sections_level_check"))
        await session.execute(update(Section).where(Section.id == section.id).values(level=9))
        await session.execute(
            text("ALTER TABLE sections ADD CONSTRAINT sections_level_check CHECK (level BETWEEN 1 AND 6) NOT VALID")
        )
    (finding,) = await found(database)
    assert finding == Finding(Rule.DATABASE_SOUND, "The constraint sections_level_check of sections is not valid")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_references_to_rows_that_are_gone_are_told_in_a_line(database: Database) -> None:
    for _ in range(3):
        await factories.chat(database, await factories.section(database))
    await database.close()
    async with database.read() as session:
        connection = await session.connection()
        for pragma in ("query_only = OFF", "foreign_keys = OFF"):
            await connection.exec_driver_sql(f"PRAGMA {pragma}")
        await session.execute(text("DELETE FROM sections"))
    told = [finding.message for finding in await found(database) if finding.rule == Rule.DATABASE_SOUND]
    assert told == ["3 rows of chat_sessions refer to rows of sections that do not exist"]
