"""Legacy files that come again when they have grown, or to rows that are damaged; and how they are told and timed."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db.connection.database import Database
from db.models import ChatSession, Document, Message, Placement, Section
from marginalia.cli import legacy as command
from services import legacy
from services.legacy import BadFile
from tests.api.operations import create_section, section_ids
from tests.edge.outages import execute
from tests.services.test_legacy import REPAIR, count, said, said_at, small, take_in
from tests.support.client import Client
from tests.support.invariants import violations

CHAT = {"id": "one", "section_id": "a", "created_at": "2024-01-01T00:00:00"}
REMOVE = (
    'mutation { removeSection(docId: "doc_d", sectionId: "sec_b") { ... on RemoveSectionSuccess { section { id } } } }'
)
TRASH = 'mutation { trashDocument(docId: "doc_d") { ... on TrashDocumentSuccess { document { id } } } }'


def of_document(*section_ids: str) -> dict[str, Any]:
    """Return a file with one document and its sections."""
    return {
        "documents": [{"id": "d", "section_ids": list(section_ids), "created_at": "2024-01-01"}],
        "sections": [{"id": section_id} for section_id in section_ids],
    }


async def document(database: Database) -> Document:
    async with database.read() as session:
        return (await session.scalars(select(Document))).one()


async def placed(database: Database) -> list[str]:
    """Read the sections of the document in their order, also if it is in the trash."""
    async with database.read() as session:
        return list(await session.scalars(select(Placement.section_id).order_by(Placement.position)))


async def chat(database: Database) -> ChatSession:
    async with database.read() as session:
        return (await session.scalars(select(ChatSession))).one()


async def tell(database: Database, folder: Path, file: Any) -> bool:
    """Take a file in as the command does, which prints what became of it."""
    path = folder / "file.json"
    path.write_text(json.dumps(file))
    read = command.read(path)
    return read is not None and await command.take_in(database, path, read)


@pytest.mark.parametrize("value", [7, "1.0", None, [1, 2], {"a": 2}, True, 0])
async def test_a_field_of_the_file_that_is_not_known_is_told_once_whatever_it_holds(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], value: object
) -> None:
    assert await tell(database, tmp_path, {"version": value, "sections": [{"id": "a"}]})
    assert capsys.readouterr().err == "warning: version is not known and was left out, once\n"


async def test_sections_that_are_new_in_a_grown_document_stand_at_its_end_in_their_order(
    client: Client, database: Database
) -> None:
    await take_in(database, of_document("a", "b"))
    own = await create_section(client, "doc_d")
    before = await document(database)

    imported = await take_in(database, of_document("z", "a", "y", "b", "x"))

    assert imported.new == {"sections": 3, "placements": 3}
    assert imported.skipped == {"documents": 1, "sections": 2, "placements": 2}
    assert imported.placements_left == 0
    assert await section_ids(client, "doc_d") == ["sec_a", "sec_b", own, "sec_z", "sec_y", "sec_x"]
    after = await document(database)
    assert after.version == before.version + 1
    assert after.updated_at > before.updated_at
    assert await violations(database) == []

    again = await take_in(database, of_document("z", "a", "y", "b", "x"))
    assert (again.new.total(), again.skipped["placements"], again.placements_left) == (0, 5, 0)
    still = await document(database)
    assert (still.version, still.updated_at) == (after.version, after.updated_at)


async def test_a_section_that_was_taken_out_stays_out_and_is_told(
    client: Client, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await take_in(database, of_document("a", "b"))
    await client(REMOVE)
    before = await document(database)
    assert await tell(database, tmp_path, of_document("a", "b"))
    told = capsys.readouterr()
    assert (
        told.err == "warning: an existing section is not in a document that lists it, and was not added to it, once\n"
    )
    assert "placements: 0 new, 1 skipped, because they exist\n" in told.out
    assert (await document(database)).version == before.version

    imported = await take_in(database, of_document("a", "b", "c"))
    assert (imported.new["placements"], imported.skipped["placements"], imported.placements_left) == (1, 1, 1)
    assert await section_ids(client, "doc_d") == ["sec_a", "sec_c"]


async def test_a_section_that_is_there_is_not_placed_in_a_document_that_is_there(
    client: Client, database: Database
) -> None:
    """Nobody can tell whether somebody took it out: only what is new in the import is placed."""
    await take_in(database, {**of_document("a"), "sections": [{"id": "a"}, {"id": "b"}]})
    imported = await take_in(database, of_document("a", "b"))
    assert (imported.new.total(), imported.placements_left) == (0, 1)
    assert await section_ids(client, "doc_d") == ["sec_a"]


async def test_a_document_in_the_trash_grows_there_and_a_document_that_is_empty_too(
    client: Client, database: Database
) -> None:
    await take_in(database, of_document())
    await client(TRASH)
    before = await document(database)
    assert (await take_in(database, of_document("b", "a"))).new == {"sections": 2, "placements": 2}
    after = await document(database)
    assert (after.version, after.deleted_at) == (before.version + 1, before.deleted_at)
    assert await placed(database) == ["sec_b", "sec_a"]


async def test_a_document_with_a_malformed_position_is_refused_until_the_doctor_has_mended_it(
    client: Client, database: Database
) -> None:
    await take_in(database, of_document("a"))
    await execute(database, "UPDATE document_sections SET position = 'not one'")
    with pytest.raises(BadFile) as refused:
        await take_in(database, of_document("a", "b"))
    (problem,) = refused.value.problems
    assert problem.startswith("documents[0].section_ids: doc_d has a malformed position")
    assert "doctor --repair" in problem
    assert await count(database, Section) == 1
    assert (await take_in(database, of_document("a"))).new.total() == 0

    await client(REPAIR)
    await take_in(database, of_document("a", "b"))
    assert await section_ids(client, "doc_d") == ["sec_a", "sec_b"]


@pytest.mark.parametrize(("pointer", "left"), [(None, 1), ("gone", 1), ("one", 0)])
async def test_a_section_that_is_there_and_gets_a_chat_is_counted_where_it_does_not_point_to_it(
    database: Database, pointer: str | None, left: int
) -> None:
    await take_in(database, {"sections": [{"id": "a", "chat_session_id": pointer}]})
    imported = await take_in(database, {"sections": [{"id": "a"}], "chat_sessions": [CHAT]})
    assert (imported.new, imported.pointers_left) == ({"chats": 1}, left)
    assert len(await violations(database)) == left
    again = await take_in(database, {"chat_sessions": [CHAT]})
    assert (again.new.total(), again.pointers_left) == (0, 0)


def nested(levels: int) -> Any:
    """Return lists and objects in each other."""
    value: Any = []
    for level in range(1, levels):
        value = {"a": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize("levels", [101, 500])
@pytest.mark.parametrize("kind", ["documents", "sections"])
def test_metadata_that_is_nested_too_deep_is_told_with_its_place(kind: str, levels: int) -> None:
    file = {kind: [{"id": "a"}, {"id": "b", "metadata": {"a": nested(levels - 1)}}]}
    with pytest.raises(BadFile) as refused:
        legacy.read(json.dumps(file).encode())
    assert refused.value.problems == (f"{kind}[1].metadata: is nested deeper than 100 levels",)


async def test_metadata_of_a_hundred_levels_is_kept(database: Database) -> None:
    metadata = {"a": nested(99)}
    await take_in(database, {"documents": [{"id": "d", "metadata": metadata}]})
    assert (await document(database)).details == metadata


@pytest.mark.parametrize("noted", [0, 1])
async def test_a_chat_whose_last_number_is_behind_its_messages_takes_new_ones_behind_them(
    client: Client, database: Database, noted: int
) -> None:
    await take_in(database, small())
    await execute(database, f"UPDATE chat_sessions SET last_seq = {noted}")  # noqa: S608 - our own number
    await take_in(database, small(messages=[*small()["messages"], said_at("one", 3)]))
    assert await said(client, "chat_one") == [(1, "one 1"), (2, "one 2"), (3, "one 3")]
    assert await violations(database) == []


async def test_a_chat_of_several_is_as_new_as_the_newest_of_them(database: Database) -> None:
    """And what is told of documents that nobody knows is about the chat that is kept."""
    newer = {"id": "two", "section_id": "a", "document_id": "lost", "created_at": "2024-01-02"}
    chats = [{**CHAT, "updated_at": "2024-01-03"}, {**newer, "updated_at": "2024-03-01"}, {**newer, "id": "three"}]
    imported = await take_in(database, small(chat_sessions=chats))
    assert (imported.merged_chats, imported.documents_forgotten) == (2, 0)
    assert (await chat(database)).updated_at == datetime(2024, 3, 1, tzinfo=UTC)


async def test_a_chat_of_several_is_as_new_as_a_message_that_is_newer(database: Database) -> None:
    late = said_at("two", 1, created_at="2024-04-01")
    two = {**CHAT, "id": "two", "updated_at": "2024-03-01"}
    await take_in(database, small(chat_sessions=[CHAT, two], messages=[late]))
    assert (await chat(database)).updated_at == datetime(2024, 4, 1, tzinfo=UTC)


async def test_messages_of_one_microsecond_keep_the_order_of_the_file(client: Client, database: Database) -> None:
    times = ["2024-01-01T00:00:00.0000019", "2024-01-01T00:00:00.0000011", "2024-01-01T00:00:00.0000009"]
    messages = [said_at("one", number, created_at=time) for number, time in zip((2, 1, 0), times, strict=True)]
    await take_in(database, small(messages=messages))
    assert [text for _, text in await said(client, "chat_one")] == ["one 0", "one 2", "one 1"]
    async with database.read() as session:
        kept = await session.scalars(select(Message.created_at).order_by(Message.seq))
    assert [time.microsecond for time in kept] == [0, 1, 1]


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
async def test_a_time_without_a_zone_is_in_utc_wherever_the_machine_stands(database: Database) -> None:
    assert datetime(2024, 7, 1).astimezone().utcoffset() != UTC.utcoffset(None)
    times = ["2024-07-01T12:00:00", "2024-07-01", "2024-07-01T12:00:00-04:00", "2024-07-01T12:00:00Z"]
    await take_in(database, {"sections": [{"id": n, "created_at": time} for n, time in enumerate(times)]})
    async with database.read() as session:
        kept = await session.scalars(select(Section.created_at).order_by(Section.id))
    assert list(kept) == [datetime(2024, 7, 1, hour, tzinfo=UTC) for hour in (12, 0, 16, 12)]
